#!/bin/sh
# The plugin hello. It is given one line of JSON on standard input, and each input that is no secret in FETTLE_INPUT_<NAME>.
# It answers in lines of JSON on standard output; what it says on standard error is its log.
set -eu
read -r request # not needed here: the environment has it all

# quote writes a text as a string of JSON.
quote() { printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' | tr -d '\000-\010\013-\037' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'; }
say() { printf '{"type":"output","text":"%s"}\n' "$(quote "$1")"; }

case "$FETTLE_ACTION" in
hello)
	greeting="Hello, $FETTLE_INPUT_WHO!"
	say "$greeting"
	printf '{"type":"result","status":"ok","message":"%s","data":{"greeting":"%s","length":%d}}\n' "$(quote "$greeting")" "$(quote "$greeting")" "${#greeting}"
	;;
*)
	printf '{"type":"result","status":"failed","message":"this plugin has no action %s"}\n' "$(quote "$FETTLE_ACTION")"
	;;
esac
