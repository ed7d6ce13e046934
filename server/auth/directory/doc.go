// Package directory asks others who somebody is: an LDAP server, or an OpenID Connect provider. Groups there become roles here.
package directory
