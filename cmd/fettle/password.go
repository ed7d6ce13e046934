package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	fettle "github.com/fettle-dev/fettle"
)

// maxPasswordLine is how much of a line is read where a password is expected, in bytes: more than any password may have.
const maxPasswordLine = 4096

// askPassword reads a password: from the terminal without an echo, twice where twice says so, or else one line of stdin. It is never an argument:
// those are seen by every user of a machine.
func (a *app) askPassword(prompt string, twice bool) (string, error) {
	f, is := a.stdin.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return a.readLine("password")
	}
	one, err := a.hidden(f, prompt)
	if err != nil || !twice {
		return one, err
	}
	two, err := a.hidden(f, "The same again: ")
	if err == nil && one != two {
		err = fmt.Errorf("the two passwords differ: %w", fettle.ErrInvalid)
	}
	return one, err
}

func (a *app) hidden(f *os.File, prompt string) (string, error) {
	fmt.Fprint(a.stderr, prompt)
	raw, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.stderr)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(raw), nil
}

// askName reads a name from the terminal, with its echo. ErrInvalid: there is nobody who could be asked.
func (a *app) askName(prompt string) (string, error) {
	f, is := a.stdin.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return "", fmt.Errorf("the name is missing: give --name, and the password on stdin: %w", fettle.ErrInvalid)
	}
	fmt.Fprint(a.stderr, prompt)
	return a.readLine("name")
}

// readLine reads one line of stdin, and no byte after it: two passwords may stand on two lines.
func (a *app) readLine(what string) (string, error) {
	if a.lines == nil {
		a.lines = bufio.NewReaderSize(a.stdin, maxPasswordLine)
	}
	line, err := a.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("the %s on stdin has more than %d bytes: %w", what, maxPasswordLine, fettle.ErrInvalid)
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("read the %s: %w", what, err)
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" {
		return "", fmt.Errorf("there is no %s on stdin: %w", what, fettle.ErrInvalid)
	}
	return text, nil
}
