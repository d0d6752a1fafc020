#!/bin/sh
# Makes, where they are not there yet, what nobody should find in a repository:
#   $1  an authority of this machine's own, and the certificate that nginx and the provider show
#   $2  the secret of sessions
set -eu
umask 027
certificates=$1 secrets=$2
mkdir -p "$certificates" "$secrets"

if ! [ -s "$secrets/session" ]; then
    openssl rand -hex 32 > "$secrets/session.new"
    mv "$secrets/session.new" "$secrets/session"
fi

cd "$certificates"
if [ -s server.pem ] && openssl x509 -in server.pem -noout -checkend 86400 >/dev/null; then exit 0; fi
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
cat > request.cnf <<'END'
[req]
prompt = no
distinguished_name = name
[name]
O = bff stack
[authority]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;DNS:localhost, permitted;IP:127.0.0.0/255.0.0.0
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, DNS:id.localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
# shellcheck disable=SC2086 # $key is several words
openssl req -x509 $key -keyout ca.key -out ca.pem -days 365 -config request.cnf \
    -extensions authority 2>/dev/null
# shellcheck disable=SC2086
openssl req $key -keyout server.key -out server.csr -config request.cnf 2>/dev/null
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 \
    -extfile request.cnf -extensions server -out server.new 2>/dev/null
rm -f ca.key ca.srl server.csr request.cnf # nobody can be given another certificate by it
chmod 640 server.key # nginx is of the same group
mv server.new server.pem
