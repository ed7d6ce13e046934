// Package web is the pages: what a person sees of the fleet in a browser.
//
// A page is a typed struct that embeds base, drawn by one template set: layout, shared pieces, page. Whatever stands in a page works by plain
// link and form; scripts only spare the reload. No answer of this package has a script or a style in line, and none loads from elsewhere.
package web
