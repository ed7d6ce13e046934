// Package checks says when a check is due, what state its results make on a node, and what verdict many states fold into.
//
//	result ──Apply──▶ state of one node ──Board──▶ verdict of the fleet ──▶ check_fettle, pages, Prometheus
//
// The agent keeps its own checks with Run; the server keeps all states on a Board, and an answer that was asked for now is folded by FoldLive.
package checks
