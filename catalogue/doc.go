// Package catalogue keeps which plugins a fleet has, in which versions, and hands out their archives.
//
// Whoever pushes a plugin gives an archive; the catalogue reads its manifest, signs a voucher over its digest, and keeps both. What is kept is believed
// only with that voucher: rows that somebody put into the database are refused. A voucher is made anew whenever an archive is handed out, so that nodes
// judge it by the server's key of that day.
package catalogue
