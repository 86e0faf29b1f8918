package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/flavor"
)

// The server's certificate and its key in the data directory, by MySQL's names for those that it makes itself.
const (
	certificateFile = "server-cert.pem"
	keyFile         = "server-key.pem"
	keyBits         = 2048 // as MySQL's auto_generate_certs
	certificateLife = 10 * 365 * 24 * time.Hour
)

// certify gives a golden sandbox of MariaDB a self-signed certificate. 11.4 and later would make one whenever they start and keep
// it in memory only, and making the key is half of what such a server costs a short test. Earlier ones have none of their own, and
// take this one where an option names it. Clients trust it as they trust the server's own: by the account's password.
func certify(f flavor.Flavor, data string) error {
	if !f.IsMariaDB() {
		return nil // MySQL makes its own, once
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "MariaDB Server"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(data, certificateFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644),
		os.WriteFile(filepath.Join(data, keyFile), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600),
	)
}

// certified are the options that name the certificate, below the data directory, for servers that would make one.
func certified(f flavor.Flavor) []string {
	if !f.Provisioning().StartupCertificate {
		return nil
	}
	return []string{"ssl-cert=" + certificateFile, "ssl-key=" + keyFile}
}
