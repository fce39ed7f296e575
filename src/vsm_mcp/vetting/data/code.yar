// Patterns for what no reader of a language sees: unreadable, invisible or unparsed code. Written for this project.
// The name of a rule, with its prefix, is the id of a rule in vetting/code/rules.py.

rule obfuscated {
  strings:
    $name = /\b_0x[0-9a-f]{4,6}\b/
    $array = /\b(var|const|let|function)\s*_0x[0-9a-f]{4,6}\s*(=|\()/
    $jsfuck = /(\(?!\[\]\+\[\]\)?|\(?!!\[\]\+\[\]\)?|\[\]\[\(){1}[\[\]()!+]{1000,}/
    $aaencode = "ﾟωﾟﾉ"
    $compact = /\beval\(function\(p,a,c,k,e,[rd]\)/
  condition:
    (#name > 30 and #array > 0) or $jsfuck or $aaencode or $compact
}

rule invisible {
  strings:
    $variation = /(\xEF\xB8[\x80-\x8F]){12,}/
    $supplement = /(\xF3\xA0[\x84-\x87][\x80-\xBF]){8,}/
    $tags = /(\xF3\xA0[\x80-\x81][\x80-\xBF]){12,}/
    $zero_width = /(\xE2\x80[\x8B-\x8F]|\xE2\x81\xA0|\xE3\x85\xA4){24,}/
  condition:
    any of them
}

rule pushed_aside {
  strings:
    $far = /[;{}] {240,2000}[A-Za-z_$(][^\n]{0,40}(require|import|eval|exec|process|global|Function|fetch|__import__)/
  condition:
    $far
}

rule miner {
  strings:
    $pool = /stratum\+(tcp|ssl):\/\/[\w.-]{4,60}:\d{2,5}/
    $flag = "--donate-level" ascii
    $program = /\bxmrig(-\d|\.exe|\s+-o\b)/
  condition:
    $pool or ($flag and $program)
}

rule protected {
  strings:
    $pyarmor = /__pyarmor__\(|pyarmor_runtime_\d+/
    $marshalled = /marshal\.loads\(\s*b['"]/
    $sourcedefender = "-----BEGIN SOURCEDEFENDER FILE-----" ascii
  condition:
    any of them
}
