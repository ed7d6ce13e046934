package api

import (
	"context"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// What a push may bring, in bytes, and how long it may take.
const (
	maxPluginBody = 17 << 20
	maxAgentBody  = 160 << 20
	pushWait      = 5 * time.Minute
)

// PluginInfo is a plugin that was pushed.
type PluginInfo struct {
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Licence     string              `json:"licence,omitempty"`
	Icon        string              `json:"icon,omitempty"`
	Platforms   fettle.Filter       `json:"platforms,omitempty" doc:"Nodes for which it is not true are not asked"`
	Current     string              `json:"current" doc:"The version that is used"`
	Former      string              `json:"former,omitempty" doc:"The one that a rollback goes back to"`
	Pinned      bool                `json:"pinned" doc:"What is pushed does not become current"`
	By          string              `json:"by" doc:"Who chose the current version"`
	Changed     time.Time           `json:"changed"`
	Versions    []PluginVersionInfo `json:"versions" doc:"The latest pushed first"`
	Actions     []server.Action     `json:"actions" doc:"Of the current version"`
}

// PluginVersionInfo is one version of a plugin.
type PluginVersionInfo struct {
	Version string    `json:"version"`
	Digest  string    `json:"digest" doc:"SHA-256 of its archive"`
	Size    int64     `json:"size" doc:"Of its archive, in bytes"`
	By      string    `json:"by" doc:"Who pushed it"`
	Pushed  time.Time `json:"pushed"`
	Nodes   int       `json:"nodes" doc:"How many have it on disk"`
	Fault   string    `json:"fault,omitempty" doc:"Why it cannot be used"`
}

// PluginList is the plugins that were pushed, by name.
type PluginList struct {
	Plugins []PluginInfo `json:"plugins"`
}

// PluginChoice says which version is used.
type PluginChoice struct {
	Do      string `json:"do" enum:"pin,unpin,rollback" doc:"pin: this version, whatever is pushed; unpin: the one that was pushed last; rollback: the one before"`
	Version string `json:"version,omitempty" maxLength:"64" doc:"Of pin"`
}

// AgentReleaseInfo is a program of the agent.
type AgentReleaseInfo struct {
	Version  string    `json:"version"`
	Platform string    `json:"platform" doc:"os/arch, as Go names them"`
	Digest   string    `json:"digest" doc:"SHA-256 of its archive"`
	Size     int64     `json:"size" doc:"Of its archive, in bytes"`
	By       string    `json:"by" doc:"Who pushed it"`
	Pushed   time.Time `json:"pushed"`
	Nodes    int       `json:"nodes" doc:"How many run it"`
	Fault    string    `json:"fault,omitempty" doc:"Why it cannot be used"`
}

// AgentReleaseList is the programs of the agent, the latest pushed first.
type AgentReleaseList struct {
	Releases []AgentReleaseInfo `json:"releases"`
}

// OnePlugin is the path of a plugin.
type OnePlugin struct {
	Name string `path:"name" maxLength:"64" example:"disk"`
}

type onePluginVersion struct {
	OnePlugin
	Version string `path:"version" maxLength:"64" example:"1.2.0"`
}

func (a *rest) pluginRoutes() {
	handle(a, route{id: "list-plugins", method: http.MethodGet, path: "/plugins", tag: "plugins", need: auth.Viewer, summary: "List plugins", text: "Those that were pushed, by name."}, a.listPlugins)
	handle(a, route{id: "show-plugin", method: http.MethodGet, path: "/plugins/{name}", tag: "plugins", need: auth.Viewer, summary: "Show a plugin", text: "With its versions, and the actions of the current one."}, a.showPlugin)
	handle(a, route{
		id: "push-plugin", method: http.MethodPost, path: "/plugins", tag: "plugins", need: auth.Admin, status: http.StatusCreated, body: maxPluginBody, wait: pushWait,
		summary: "Push a plugin", text: "The body is an archive as fettle plugin pack makes it. It is signed, kept, and used from now on, unless the plugin is pinned.",
	}, a.pushPlugin)
	handle(a, route{
		id: "choose-plugin", method: http.MethodPut, path: "/plugins/{name}/choice", tag: "plugins", need: auth.Admin,
		summary: "Choose the version of a plugin", text: "Runs that have begun keep theirs.",
	}, a.choosePlugin)
	handle(a, route{
		id: "remove-plugin", method: http.MethodDelete, path: "/plugins/{name}", tag: "plugins", need: auth.Admin, status: http.StatusNoContent,
		summary: "Remove a plugin", text: "With all its versions. Nodes are not asked to run it any more.",
	}, a.removePlugin)
	handle(a, route{
		id: "remove-plugin-version", method: http.MethodDelete, path: "/plugins/{name}/versions/{version}", tag: "plugins", need: auth.Admin, status: http.StatusNoContent,
		summary: "Remove a version of a plugin", text: "Where it was the current one, the one before it is used.",
	}, a.removePluginVersion)
	handle(a, route{
		id: "fetch-plugin", method: http.MethodGet, path: "/plugins/{name}/versions/{version}/archive", tag: "plugins", need: auth.Viewer,
		summary: "Fetch the archive of a plugin", text: "A tar, compressed by zstd.",
	}, a.fetchPlugin)
	handle(a, route{id: "list-agent-releases", method: http.MethodGet, path: "/agent-releases", tag: "plugins", need: auth.Viewer, summary: "List releases of the agent", text: "The latest pushed first."}, a.listAgents)
	handle(a, route{
		id: "push-agent-release", method: http.MethodPost, path: "/agent-releases", tag: "plugins", need: auth.Admin, status: http.StatusCreated, body: maxAgentBody, wait: pushWait,
		summary: "Push a release of the agent", text: "The body is the program. For which platform it is, it says itself. The action agent.upgrade brings it to nodes.",
	}, a.pushAgent)
	handle(a, route{
		id: "remove-agent-release", method: http.MethodDelete, path: "/agent-releases/{version}", tag: "plugins", need: auth.Admin, status: http.StatusNoContent,
		summary: "Remove a release of the agent", text: "For all platforms. Nodes that run it go on doing so.",
	}, a.removeAgent)
}

func pluginInfo(d server.PluginDetail) PluginInfo {
	info := PluginInfo{
		Name: d.Name, Current: d.Current, Former: d.Former, Pinned: d.Pinned, By: d.By, Changed: d.Changed.Time(),
		Versions: make([]PluginVersionInfo, len(d.Versions)), Actions: []server.Action{},
	}
	for i, v := range d.Versions {
		info.Versions[i] = PluginVersionInfo{Version: v.Version, Digest: v.Digest, Size: v.Size, By: v.By, Pushed: v.Pushed.Time(), Nodes: d.Nodes[v.Version], Fault: v.Fault}
		if v.Version == d.Current {
			m := v.Manifest
			info.Description, info.Licence, info.Icon, info.Platforms, info.Actions = m.Description, m.Licence, m.Icon, m.Platforms, orNone(m.Actions)
		}
	}
	return info
}

func (a *rest) listPlugins(ctx context.Context, _ *struct{}) (*output[PluginList], error) {
	found, err := a.fleet.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	list := PluginList{Plugins: make([]PluginInfo, len(found))}
	for i, d := range found {
		list.Plugins[i] = pluginInfo(d)
	}
	return &output[PluginList]{list}, nil
}

func (a *rest) showPlugin(ctx context.Context, in *OnePlugin) (*output[PluginInfo], error) {
	d, err := a.fleet.PluginByName(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &output[PluginInfo]{pluginInfo(d)}, nil
}

func (a *rest) pushPlugin(ctx context.Context, in *struct {
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*output[PluginInfo], error) {
	d, version, err := a.fleet.PushPlugin(ctx, in.RawBody, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	details := audit.Details{"version": version, "current": d.Current}
	for _, v := range d.Versions {
		if v.Version == version {
			details["digest"] = v.Digest
		}
	}
	tell(ctx, d.Name, details)
	return &output[PluginInfo]{pluginInfo(d)}, nil
}

func (a *rest) choosePlugin(ctx context.Context, in *struct {
	OnePlugin
	Body PluginChoice
},
) (*output[PluginInfo], error) {
	tell(ctx, in.Name, audit.Details{"do": in.Body.Do, "version": in.Body.Version})
	d, err := a.fleet.ChoosePlugin(ctx, in.Body.Do, in.Name, in.Body.Version, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	tell(ctx, in.Name, audit.Details{"do": in.Body.Do, "current": d.Current, "former": d.Former})
	return &output[PluginInfo]{pluginInfo(d)}, nil
}

func (a *rest) removePlugin(ctx context.Context, in *OnePlugin) (*struct{}, error) {
	return nil, a.fleet.RemovePlugin(ctx, in.Name, "", auth.From(ctx).Name)
}

func (a *rest) removePluginVersion(ctx context.Context, in *onePluginVersion) (*struct{}, error) {
	return nil, a.fleet.RemovePlugin(ctx, in.Name, in.Version, auth.From(ctx).Name)
}

// archiveOut is an archive as it is.
type archiveOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *rest) fetchPlugin(ctx context.Context, in *onePluginVersion) (*archiveOut, error) {
	raw, err := a.fleet.PluginArchive(ctx, in.Name, in.Version)
	if err != nil {
		return nil, err
	}
	return &archiveOut{"application/octet-stream", raw}, nil
}

func (a *rest) listAgents(ctx context.Context, _ *struct{}) (*output[AgentReleaseList], error) {
	found, err := a.fleet.AgentReleases(ctx)
	if err != nil {
		return nil, err
	}
	list := AgentReleaseList{Releases: make([]AgentReleaseInfo, len(found))}
	for i, r := range found {
		list.Releases[i] = agentReleaseInfo(r)
	}
	return &output[AgentReleaseList]{list}, nil
}

func agentReleaseInfo(r server.AgentRelease) AgentReleaseInfo {
	v := r.Version
	return AgentReleaseInfo{Version: v.Version, Platform: v.Platform, Digest: v.Digest, Size: v.Size, By: v.By, Pushed: v.Pushed.Time(), Nodes: r.Nodes, Fault: v.Fault}
}

func (a *rest) pushAgent(ctx context.Context, in *struct {
	Version string `query:"version" required:"true" minLength:"1" maxLength:"64" doc:"That the program says of itself"`
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*output[AgentReleaseInfo], error) {
	r, err := a.fleet.PushAgent(ctx, in.RawBody, in.Version, auth.From(ctx).Name)
	if err != nil {
		return nil, err
	}
	tell(ctx, in.Version, audit.Details{"platform": r.Platform, "digest": r.Digest})
	return &output[AgentReleaseInfo]{agentReleaseInfo(r)}, nil
}

func (a *rest) removeAgent(ctx context.Context, in *struct {
	Version string `path:"version" maxLength:"64"`
},
) (*struct{}, error) {
	return nil, a.fleet.RemoveAgent(ctx, in.Version)
}
