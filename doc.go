// Package fettle is the vocabulary of Fettle: the nouns that the server, the agent and every tool share, and the kinds of error they return.
//
// It is the ground floor of the house. It holds values and the rules that make a value valid, and nothing that does work: no files, no
// network, no SQL, no goroutines, no logging, and no import beside the standard library. Where a noun needs a tool to do its work, the work
// belongs to a package above: Filter is text here, and filter.Program is that text compiled.
//
// One word stands for one thing, here and in JSON, SQL, the command line, the pages and the documents:
//
//	node         a machine with an agent; its identity is its name
//	fact         something true of a node: a path into its facts document
//	class        a label that configuration management gave the node
//	filter       a CEL expression over a node: true, false or undefined
//	plugin       a program with a manifest, offering typed actions
//	task         one action, with its inputs, asked of one node
//	result       what one task gave
//	run          one action asked of all the nodes that a filter matched
//	check        a task asked of matching nodes again and again
//	verdict      many check states folded into one
//	roster       the nodes that ought to answer
package fettle
