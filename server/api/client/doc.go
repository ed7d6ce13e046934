// Package client speaks to a Fettle server over REST, as any program may. The types and requests are generated from the server's OpenAPI document;
// what stands beside them is the connection, the errors, the methods that people call, and the stream of a run, which must not be buffered.
package client
