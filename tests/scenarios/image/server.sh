# An MCP server in the shell of busybox: its one tool says what it finds around itself.
PATH=/bin
b=/bin/busybox
tool='{"name":"look","description":"Say what is around.","inputSchema":{"type":"object"}}'
look() {
  echo "uid $($b id -u)"
  $b grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | $b tr '\t' ' '
  echo "links $($b ls /sys/class/net | $b tr '\n' ' ')"
  (echo x > /written) 2>/dev/null && echo "root is writable"
  (echo x > /tmp/written) 2>/dev/null && echo "tmp is writable"
  $b dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null && echo "200 MB fit"
  echo "open files $(ulimit -n)"
  echo "greeting $GREETING"
  echo "given $GIVEN"
  echo "granted $($b cat /granted/file /srv/granted/file 2>/dev/null)"
  echo "arguments $*"
}
answer() { echo "{\"jsonrpc\":\"2.0\",\"id\":$1,\"result\":$2}"; }
while read -r line; do
  id=$(echo "$line" | $b sed -n 's/.*"id": *\("[^"]*"\|[0-9]*\).*/\1/p')
  [ -n "$id" ] || continue
  case "$line" in
    *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"box","version":"1"}}' ;;
    *'"tools/list"'*) answer "$id" "{\"tools\":[$tool]}" ;;
    *'"ping"'*) answer "$id" '{}' ;;
    *'"tools/call"'*)
      text=$(look "$@" | $b tr '\n' '|' | $b sed 's/["\\]//g')
      answer "$id" "{\"content\":[{\"type\":\"text\",\"text\":\"$text\"}]}" ;;
    *) echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"error\":{\"code\":-32601,\"message\":\"unknown method\"}}" ;;
  esac
done
[ -z "$STAY" ] || $b sleep 600
