package facts

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// program gives the command that runs the file at path; nil: it is no program.
func program(path string, _ fs.FileInfo) []string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".exe", ".com", ".bat", ".cmd":
		return []string{path}
	case ".ps1":
		return []string{"powershell.exe", "-NoProfile", "-NonInteractive", "-NoLogo", "-ExecutionPolicy", "Bypass", "-File", path}
	}
	return nil
}

// ownGroup leaves cmd as it is: killing it is all that can be done without a job object.
func ownGroup(*exec.Cmd) {}
