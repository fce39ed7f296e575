"""What a text holds that is known by its shape, not its words: paths of keys, addresses, commands, tags. Pure.

Every pattern is bounded and without nested repetition: it costs no more than the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PLACE: Final = (
    r"\.ssh/(?!authorized_keys|known_hosts|config)(?!\w{0,40}\.pub)[\w*.]+|[~/]\.ssh\b(?!/)"
    r"|\bid_(?:rsa|ed25519|ecdsa|dsa)\b(?!\.pub)"
    r"|\.aws/(?:credentials|config)|\.npmrc\b|\.pypirc\b|\.netrc\b|\.kube/config|\.docker/config\.json"
    r"|\.git-credentials|/etc/(?:passwd|shadow|sudoers)\b|\.cursor/mcp\.json|claude_desktop_config"
    r"|\.claude(?:\.json|/\.?(?:settings|credentials))|(?<![\w.-])mcp(?:_config)?\.json|wallet\.dat"
    r"|\.(?:bash|zsh|sh|psql|mysql|python)_history\b|\.gnupg\b|(?<![\w.])\.env(?:\.local|\.production)?\b(?!\.)"
    r"|login data\b|cookies\.sqlite|application_default_credentials"
    r"|\.config/(?:gcloud|gh|hub)\b|\*?\.(?:pem|p12|pfx|kdbx)\b"
    r"|\.azure/|\.terraform\.d|\.vault-token|/proc/(?:self/)?environ|\bntds\.dit\b|/root/|\bkeychain-db\b"
)
_ADDRESS: Final = (
    r"\bhttps?://(?!localhost|127\.0\.0\.1|\[::1\])[^\s\"'<>)]{3,200}"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2,24}\b|\bs3://[\w./-]{3,100}|\bwss?://[\w./:-]{3,100}"
    r"|(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}:\d{2,5}\b|\bwebhook\.site\b|<data>\.|\battacker\b"
)
_SHELL: Final = (
    r"\b(?:curl|wget)\b[^\n|]{0,160}\|\s{0,3}(?:sudo )?(?:ba|z|da|k)?sh\b|\|\s{1,3}(?:bash|sh)\b"
    r"|\s[^\s|()\[\]]{1,80}\|(?:bash|sh)\b(?!\|)"  # of a command; python|bash|node is a choice, and so is hex | base64
    r"|\b(?:cat|echo|printf|tar|gzip|zip|env|printenv|ls|find|grep|head|tail|id|history|strings|xxd|dd|curl|wget|ps)\b"
    r"[^\n|]{0,120}\|\s{0,3}base64\b"
    r"|\bcurl\b[^\n]{0,120}(?: -d\b| --data|-x post| -f\b|@/|\$\()|\bbase64 -d|\bpowershell(?:\.exe)? -e\w*\b|/dev/tcp/"
    r"|\beval\(atob|\bchmod (?:\+x|[0-7]*7[0-7]*)\b|\bbash -[ci]\b|\bsh -c\b|\brm -rf\b|\bnc -[a-z]+ |\bpython3? -c\b"
    r"|\bos\.system\(|\bsubprocess\.\w+\(|\bexec\([^)\n]{0,80}\.read|\bcat [~/.]|>> ?[~/]|\bssh-rsa a|\biex\b ?\("
    r"|\* \* \* \* \*[^\n]{0,40}curl|\$\(whoami|\bcurl https?://|\bhttps?://[^\s\"'<>)]{3,200}\.(?:sh|ps1|bat|exe)\b"
    r"|\bsudo (?:-\w{1,4} )?(?:rm|bash|sh|su|chmod|chown|cp|mv|cat|curl|wget|tee|apt|apt-get|dd|systemctl|kill"
    r"|python3?|node|npm|pip)\b"
)
_TAG: Final = (
    r"<{1,2}/?\s{0,3}(?:important|critical|attention|urgent|note_to_\w{1,20}|ai|llm|assistant|agent|instructions?|secret"
    r"|hidden|system|sys|prompt|developer|override|admin|\w{0,20}(?:system|assistant|internal|hidden|secret|admin|override)"
    r"[_ -]\w{1,20}|\w{1,20}[_ -](?:instructions?|rules|directives?|override|prompt|notice))\s{0,3}/?>{1,2}"
    r"|\[{1,2}\s{0,3}(?:important|system|critical|attention|instructions?|admin|hidden|inst|internal\w{0,20}"
    r"|system\w{0,20})\s{0,3}(?:\]|:)|<\|[^|>\n]{1,40}\|>|\[/?inst\]|<</?sys>>"
    r"|^\s{0,4}#{1,4}\s{0,3}(?:system|instructions?|new instructions?)\s{0,3}:?\s{0,3}$"
    r"|(?<=\n)\s{0,4}(?:system|assistant|developer)\s{0,2}:\s|```\s{0,2}(?:assistant|system|user)\b"
    r"|[-=*_]{3,12} ?end of (?:the )?(?:tool )?(?:description|prompt|instructions|context)[^\n]{0,40}"
    r"|\|{2,8}\s{0,2}\w{3,40}\s{0,2}\|{2,8}|\b(?:system|admin|developer|root|security)[ _-]override\s{0,2}[:|]"
    r"|\((?:assistant|model|agent|ai|llm)s? only\)|\bend_override\b"
)
_COMMENT: Final = r"<!--|/\*(?=\s)|\[//\]: #|\{#"
_ACCOUNT: Final = (
    r"\b0x[0-9a-f]{40}\b|\+\d{1,3}(?: ?\d{2,4}){3,5}\b|\bbc1[02-9ac-hj-np-z]{25,60}\b"
    r"|\b[a-z]{2}\d{2}(?: ?\d{4}){3,7}(?: ?\d{1,4})?\b"
)
_ROLE: Final = r"[\"']role[\"']\s{0,3}:\s{0,3}[\"'](?:system|developer)[\"']"
_MAILBOX: Final = r"(?<![\w.+:/-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,3}\.[a-z]{2,24}\b"
_BEACON: Final = r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{3,200}[?&]\w{1,30}="
_COUNTED: Final = (
    ("place", _PLACE),
    ("address", _ADDRESS),
    ("shell", _SHELL),
    ("tag", _TAG),
    ("comment", _COMMENT),
    ("account", _ACCOUNT),
    ("role", _ROLE),
    ("beacon", _BEACON),
    ("mailbox", _MAILBOX),
)
FAMILIES: Final = tuple(name for name, _ in _COUNTED)
_PATTERNS: Final = tuple((name, re.compile(pattern, re.MULTILINE)) for name, pattern in _COUNTED)
_MOST: Final = 50


def found(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (family, start, end) for each sign in a folded text, at most fifty of a family."""
    for name, pattern in _PATTERNS:
        for count, match in enumerate(pattern.finditer(text)):
            if count >= _MOST:
                break
            yield name, match.start(), match.end()
