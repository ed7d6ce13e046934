// Package server is the middle of Fettle: it collects what nodes send, keeps the inventory and the store in step, dispatches tasks, follows
// runs and folds verdicts. Its methods are what every face (REST, pages, the command line, check_fettle, metrics) calls.
//
// All work on messages goes one way:
//
//	broker ─▶ Collect ─▶ intake (parse, verify, order) ─▶ batch ─▶ store.Commit ─▶ inventory, board, runs ─▶ receipt
//
// A message is receipted when what it says is on disk, and takes effect in memory only then; so what a person has been shown survives a
// kill -9. A message that can never commit is receipted, kept as a dead letter and counted; a store that fails withholds the receipt.
package server
