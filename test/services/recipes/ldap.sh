# OpenLDAP's slapd, with people, groups and StartTLS. Its own certificate is what a client has to trust.
packages=(slapd ldap-utils openssl)
base_dn=dc=fettle,dc=test

start() {
  free ldap
  mkdir -p "$dir/db"
  [[ -s $dir/tls.pem ]] ||
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
      -keyout "$dir/tls.key" -out "$dir/tls.pem" >>"$log" 2>&1 || fail "could not make its certificate"
  if [[ ! -s $dir/db/data.mdb ]]; then
    printf '%s\n' "include /etc/ldap/schema/"{core,cosine,inetorgperson}.schema "modulepath /usr/lib/ldap" "moduleload back_mdb" "pidfile $dir/pid" \
      "TLSCertificateFile $dir/tls.pem" "TLSCertificateKeyFile $dir/tls.key" "database mdb" "maxsize 67108864" "suffix $base_dn" \
      "rootdn cn=admin,$base_dn" "rootpw $passcode" "directory $dir/db" >"$dir/slapd.conf"
    people >"$dir/people.ldif"
    slapadd -f "$dir/slapd.conf" -l "$dir/people.ldif" >>"$log" 2>&1 || { rm -f "$dir"/db/*; fail "could not read its people"; }
  fi
  daemon ldap slapd -d 0 -f "$dir/slapd.conf" -h "ldap://127.0.0.1:$(port ldap)/"
}

# ann is an operator, carol an admin too, and bob is in no group.
people() {
  printf 'dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: fettle\n\n' "$base_dn"
  printf 'dn: ou=people,%s\nobjectClass: organizationalUnit\n\n' "$base_dn"
  printf 'dn: ou=groups,%s\nobjectClass: organizationalUnit\n\n' "$base_dn"
  local name
  for name in ann bob carol; do
    printf 'dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\ncn: %s\nsn: %s\nuserPassword: %s of %s\n\n' "$name" "$base_dn" "$name" "$name" "$passcode" "$name"
  done
  printf 'dn: cn=operators,ou=groups,%s\nobjectClass: groupOfNames\nmember: uid=ann,ou=people,%s\nmember: uid=carol,ou=people,%s\n\n' "$base_dn" "$base_dn" "$base_dn"
  printf 'dn: cn=admins,ou=groups,%s\nobjectClass: groupOfNames\nmember: uid=carol,ou=people,%s\n' "$base_dn" "$base_dn"
}

ready() { ldapwhoami -x -H "ldap://127.0.0.1:$(port ldap)" -D "uid=ann,ou=people,$base_dn" -w "$passcode of ann"; }

settings() {
  give LDAP "ldap://localhost:$(port ldap)"
  give LDAP_CA "$dir/tls.pem"
}
