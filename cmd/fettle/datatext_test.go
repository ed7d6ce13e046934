package main

import (
	"encoding/json"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

func TestAnswersAreWrittenForPeople(t *testing.T) {
	for _, tt := range []struct {
		name, action, message, data string
		status                      fettle.Status
		want                        string
	}{
		{"a line that is the message", "shell.run", "hello", `{"exitcode":0,"stdout":"hello\n"}`, 0, "hello"},
		{"many lines and nothing else need no name", "shell.run", "2 lines", `{"exitcode":0,"stdout":"a\nb\n"}`, 0, "2 lines\na\nb"},
		{"in the order of the manifest, under people's names", "shell.run", "exit 3: why", `{"stderr":"a\nwhy\n","exitcode":3,"stdout":"out\n","cut":12}`, fettle.StatusFailed, "failed: exit 3: why\noutput: out\nerrors:\n  a\n  why\nleft out: 12 bytes"},
		{"numbers as they were sent", "file.stat", "file, 1234567890 bytes", `{"size":1234567890,"age":5,"target":""}`, 0, "file, 1234567890 bytes\nsize: 1.15 GiB\nage: 5 s"},
		{"what the manifest does not name", "file.stat", "OK", `{"other":true,"none":null,"empty":[]}`, 0, "other: true"},
		{"a table", "process.grep", "2 processes", `{"count":2,"processes":[{"pid":1,"user":"root","command":"a"},{"pid":20,"user":"x","command":"b c"}]}`, 0, "2 processes\nPID  USER  COMMAND\n1    root  a\n20   x     b c"},
		{"an action that is not known", "x.y", "done", `{"b":[1,2],"a":{"k":[1]}}`, 0, "done\na: k: [1]\nb: 1, 2"},
		{"no data", "shell.run", "", `null`, 0, "OK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			manifest, _ := plugins.Lookup(tt.action)
			got := answerText(manifest, client.ResultItem{Status: tt.status, Message: tt.message, Data: json.RawMessage(tt.data)})
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
