package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPuppet(t *testing.T) {
	const dir = "opt/puppetlabs/puppet/cache/"
	for name, test := range map[string]struct {
		files map[string]string
		want  object
	}{
		"never ran":           {map[string]string{"opt/other": ""}, nil},
		"enabled":             {map[string]string{dir + "state/graphs": ""}, object{"enabled": true, "applying": false}},
		"disabled":            {map[string]string{dir + "state/agent_disabled.lock": `{"disabled_message":"maintenance: by me"}`}, object{"enabled": false, "applying": false, "message": "maintenance: by me"}},
		"disabled, no reason": {map[string]string{dir + "state/agent_disabled.lock": ""}, object{"enabled": false, "applying": false}},
		"applying":            {map[string]string{dir + "state/agent_catalog_run.lock": "77"}, object{"enabled": true, "applying": true}},
		"killed":              {map[string]string{dir + "state/agent_catalog_run.lock": "78\n"}, object{"enabled": true, "applying": false}},
		"a lock of nonsense":  {map[string]string{dir + "state/agent_catalog_run.lock": "-1"}, object{"enabled": true, "applying": false}},
		"ran, by Puppet 7":    {map[string]string{dir + "state/x": "", "opt/puppetlabs/puppet/public/last_run_summary.yaml": "---\ntime:\n  last_run: 1795246489\n"}, object{"enabled": true, "applying": false, "last_run": int64(1795246489)}},
		"ran, by Puppet 5":    {map[string]string{dir + "state/last_run_summary.yaml": "---\ntime:\n  total: 1.5\n  last_run: 1795246000\n"}, object{"enabled": true, "applying": false, "last_run": int64(1795246000)}},
		"a broken summary":    {map[string]string{dir + "state/last_run_summary.yaml": "---\ntime: [\n"}, object{"enabled": true, "applying": false}},
	} {
		t.Run(name, func(t *testing.T) {
			m := rooted(t, test.files, kernelAnswers{Alive: map[string]int{"puppet": 77}})
			m.puppetDirs = defaultPuppetDirs()
			if diff := cmp.Diff(test.want, m.puppet()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
