// Where to look in a bundle: words near which something could matter, and where names of modules are bound. Nothing
// found here is a finding. Read by vetting/code/anchors.py.

rule piece {
  strings:
    $env = /\bprocess\s{0,4}\.\s{0,4}env\b/
    $global = /\b(globalThis|global|process|window)\s{0,4}\[/
    $decodes = /\batob\s{0,4}\(|\bfromCharCode\b/
    $evaluates = /\beval\s{0,4}\(|\bFunction\s{0,4}\(|\.constructor\s{0,4}\(|\brunIn\w{0,8}Context\b|\b_compile\b/
    $programs = /\bchild_process\b|\b(exec|execSync|execFile|spawn|spawnSync|execa|execaCommand)\s{0,4}\(/
    $clipboard = /\bclipboard|\.ethereum\b|XMLHttpRequest\.prototype|(globalThis|window)\.fetch\s{0,4}=/
    $keys = /\.ssh\b|id_rsa|id_ed25519|\.npmrc|\.aws\/|\.git-credentials|\.gnupg|\/etc\/shadow|wallet\.dat|Login Data|key4\.db/
    $clients = /claude_desktop_config|\.claude\b|\.cursor\b|\.codeium|mcp\.json|mcp_config|CLAUDE\.md/
    $startup = /\.bashrc|\.zshrc|\.profile\b|crontab|\/etc\/cron|systemd\/|LaunchAgents|autostart|CurrentVersion\\|authorized_keys/
    $repository = /\.git\/hooks|\.github\/workflows/
    $collectors = /webhook\.site|requestbin|pipedream|\.oast\.|interact\.sh|api\.telegram\.org|api\/webhooks\/|hooks\.slack|ngrok/
    $more_collectors = /pastebin\.com|transfer\.sh|icp0\.io|trycloudflare|\bbcc\b|\bBcc\b/
    $address = /['"]https?:\/\/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/
    $shell = /\/dev\/tcp|['"](\/bin\/)?(ba|z)?sh['"]/
  condition:
    any of them
}

rule bound {
  strings:
    $require = /\brequire\s{0,4}\(\s{0,4}['"](node:)?(child_process|https?|http2|net|tls|dns|dgram|fs|fs\/promises|os|path|vm|process|module|axios)['"]/
    $from = /\bfrom\s{0,4}['"](node:)?(child_process|https?|http2|net|tls|dns|dgram|fs|fs\/promises|os|path|vm|process|module|axios)['"]/
  condition:
    any of them
}
