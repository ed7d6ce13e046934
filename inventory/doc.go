// Package inventory holds all nodes in memory, indexed, and turns a filter into set algebra over the index.
//
// It answers which nodes a filter matches and for how many it is undefined and why, which values a fact has, which facts there are, and which
// clause of a filter keeps a node out. It keeps nothing on disk: the server loads it from the store at start, and puts every change into both.
package inventory
