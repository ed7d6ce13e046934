package plugins

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

//go:embed skeleton
var skeletons embed.FS

// Languages are those for which there is a skeleton.
func Languages() []string { return []string{"shell", "python", "go"} }

// Skeleton gives the files of a new plugin that works, to begin with. ErrInvalid: the name is that of no plugin, or there is no such language.
func Skeleton(name, language string) ([]File, error) {
	if !pluginName.MatchString(name) {
		return nil, fmt.Errorf("name %q is not of a-z 0-9 _, beginning with a letter: %w", clip(name), fettle.ErrInvalid)
	}
	if !slices.Contains(Languages(), language) {
		return nil, fmt.Errorf("language %q is none of %s; a plugin may be in any, and these have a skeleton: %w", clip(language), strings.Join(Languages(), ", "), fettle.ErrInvalid)
	}
	fill := strings.NewReplacer("NAME", name, "EXECUTABLE", map[string]string{"shell": "run.sh", "python": "run.py", "go": "bin/" + name + "-{os}-{arch}"}[language])
	var files []File
	add := func(from, to string, mode fs.FileMode) error {
		raw, err := skeletons.ReadFile(from)
		if err == nil {
			// FETTLE_INPUT_<NAME> is no place for the plugin's name.
			text := strings.ReplaceAll(fill.Replace(strings.ReplaceAll(string(raw), "<NAME>", "\x00")), "\x00", "<NAME>")
			files = append(files, File{to, mode, []byte(text)})
		}
		return err
	}
	if err := add("skeleton/plugin.yaml.tmpl", ManifestName, 0o644); err != nil {
		return nil, err
	}
	if err := add("skeleton/hello.yaml.tmpl", path.Join(CasesFolder, "hello.yaml"), 0o644); err != nil {
		return nil, err
	}
	entries, err := skeletons.ReadDir("skeleton/" + language)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(e.Name(), "run.") {
			mode = 0o755
		}
		if err := add("skeleton/"+language+"/"+e.Name(), strings.TrimSuffix(e.Name(), ".tmpl"), mode); err != nil {
			return nil, err
		}
	}
	_, err = ParseManifest(files[0].Data)
	return files, err
}
