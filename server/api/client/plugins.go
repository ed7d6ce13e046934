package client

import (
	"context"
	"io"
)

// binary is what archives and programs are sent as.
const binary = "application/octet-stream"

// Plugins lists the plugins that were pushed.
func (a *API) Plugins(ctx context.Context) ([]PluginInfo, error) {
	list, err := read[PluginList](a.calls.ListPlugins(ctx))
	if err != nil {
		return nil, err
	}
	return list.Plugins, nil
}

// Plugin gives one plugin. ErrNotFound names those that there are.
func (a *API) Plugin(ctx context.Context, name string) (*PluginInfo, error) {
	return read[PluginInfo](a.calls.ShowPlugin(ctx, name))
}

// PushPlugin brings the archive of a plugin. ErrConflict: there is another of that version.
func (a *API) PushPlugin(ctx context.Context, archive io.Reader) (*PluginInfo, error) {
	return read[PluginInfo](a.calls.PushPluginWithBody(ctx, binary, archive))
}

// ChoosePlugin changes which version of a plugin is used.
func (a *API) ChoosePlugin(ctx context.Context, name string, choice PluginChoice) (*PluginInfo, error) {
	return read[PluginInfo](a.calls.ChoosePlugin(ctx, name, choice))
}

// RemovePlugin removes a version of a plugin; with an empty version, all of it.
func (a *API) RemovePlugin(ctx context.Context, name, version string) error {
	if version == "" {
		return gone(a.calls.RemovePlugin(ctx, name))
	}
	return gone(a.calls.RemovePluginVersion(ctx, name, version))
}

// AgentReleases lists the programs of the agent that were pushed.
func (a *API) AgentReleases(ctx context.Context) ([]AgentReleaseInfo, error) {
	list, err := read[AgentReleaseList](a.calls.ListAgentReleases(ctx))
	if err != nil {
		return nil, err
	}
	return list.Releases, nil
}

// PushAgent brings a program of the agent.
func (a *API) PushAgent(ctx context.Context, version string, program io.Reader) (*AgentReleaseInfo, error) {
	return read[AgentReleaseInfo](a.calls.PushAgentReleaseWithBody(ctx, &PushAgentReleaseParams{Version: version}, binary, program))
}

// RemoveAgent removes a version of the agent, for all platforms.
func (a *API) RemoveAgent(ctx context.Context, version string) error {
	return gone(a.calls.RemoveAgentRelease(ctx, version))
}
