// Package plugins holds the manifests of plugins and the validation of inputs; agent and server use it alike.
//
// Inputs are validated twice against the same manifest: by the server before anything is sent, and by the node before anything is begun.
package plugins
