// Package nagios knows the conventions of Nagios plugins: output, perfdata, ranges, NRPE configuration and folded names; bytes in, values out.
//
// Everything that it reads was written by strangers: every reader is bounded, mends what it can and never panics.
package nagios
