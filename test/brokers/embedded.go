package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire/broker"
)

// everybody lets everybody in; a client-id makes a node, as with the server's own.
type everybody struct{}

func (everybody) Login(l broker.Login) (broker.Principal, error) {
	if l.ClientID == "" {
		return broker.Principal{Name: l.Login}, nil
	}
	id, err := fettle.ParseNodeID(l.ClientID)
	return broker.Principal{Node: id, Name: l.Login}, err
}
func (everybody) MaySend(broker.Principal, string) error      { return nil }
func (everybody) MaySubscribe(broker.Principal, string) error { return nil }

// serve is the embedded broker in a process of its own: it says its two addresses, the second with TLS, and serves until ctx ends or its
// standard input does.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	cfg := broker.DefaultConfig()
	cfg.Transient = func(dest string) bool { return strings.HasPrefix(dest, "/queue/bench.node.") }
	b, err := broker.New(cfg, everybody{}, nil, nil, nil)
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cert, err := certificate()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, plain.Addr(), secure.Addr())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process: standard input cannot be interrupted
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.Serve(ctx, plain) })
	g.Go(func() error {
		return b.Serve(ctx, tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}))
	})
	return g.Wait()
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	draft := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, draft, draft, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// start starts this program again as the broker, and gives its two addresses and how to end it.
func start(ctx context.Context) (plain, secure string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", "", nil, err
	}
	stop = func() error { _ = in.Close(); return cmd.Wait() }
	if line, err := bufio.NewReader(out).ReadString('\n'); err == nil {
		if _, err = fmt.Sscan(line, &plain, &secure); err == nil {
			return plain, secure, stop, nil
		}
	}
	return "", "", nil, fmt.Errorf("the broker's process did not say where it listens: %w", stop())
}
