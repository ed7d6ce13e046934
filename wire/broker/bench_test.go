package broker

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// swarmSize is near enough to 10,000, and with both ends of each connection under a common bound of 20,000 open files.
const swarmSize = 9_900

// swarm is many subscribers of /topic/all on loopback that count the bytes they get.
type swarm struct {
	conns []net.Conn
	got   atomic.Int64
	want  atomic.Int64
	full  chan struct{}
	wg    sync.WaitGroup
}

const benchLogin = "CONNECT\naccept-version:1.2\nlogin:joe\npasscode:secret\nclient-id:n%d\n\n\x00" +
	"SUBSCRIBE\nid:1\ndestination:/topic/all\n\n\x00SUBSCRIBE\nid:2\nreceipt:1\ndestination:/queue/node.n%d\n\n\x00"

func newSwarm(b *testing.B, r *rig, n int) *swarm {
	s := &swarm{conns: make([]net.Conn, n), full: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				nc, err := net.Dial("tcp", r.addr)
				if err != nil {
					b.Error(err)
					return
				}
				s.conns[i] = nc
				fmt.Fprintf(nc, benchLogin, i, i)
				buf := make([]byte, 256)
				for seen := 0; seen < 2; { // the NULs of CONNECTED and RECEIPT
					k, err := nc.Read(buf)
					if err != nil {
						b.Error(err)
						return
					}
					seen += bytes.Count(buf[:k], []byte{0})
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return s
}

// listen makes the swarm read.
func (s *swarm) listen() {
	for _, nc := range s.conns {
		s.wg.Go(func() {
			buf := make([]byte, 2048)
			for {
				n, err := nc.Read(buf)
				if err != nil {
					return
				}
				if s.got.Add(int64(bytes.Count(buf[:n], []byte{0}))) == s.want.Load() {
					s.full <- struct{}{}
				}
			}
		})
	}
}

func (s *swarm) close() {
	for _, nc := range s.conns {
		_ = nc.Close()
	}
	s.wg.Wait()
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// BenchmarkConnect10k connects and subscribes 10,000 nodes; B/conn is the memory of both ends of an idle connection.
func BenchmarkConnect10k(b *testing.B) {
	const n = swarmSize
	for range b.N {
		b.StopTimer()
		r := newRig(b, nil)
		before := inUse()
		b.StartTimer()
		s := newSwarm(b, r, n)
		b.StopTimer()
		b.ReportMetric(float64(inUse()-before)/n, "B/conn")
		s.close()
		r.stop()
	}
}

// BenchmarkFanout10k publishes 1 KiB to 10,000 subscribers and waits for the last of them.
func BenchmarkFanout10k(b *testing.B) {
	const n = swarmSize
	r := newRig(b, nil)
	s := newSwarm(b, r, n)
	s.listen()
	body := bytes.Repeat([]byte("x"), 1024)
	for b.Loop() {
		s.want.Add(n)
		if k, err := r.Publish("/topic/all", nil, body); k != n || err != nil {
			b.Fatal(k, err)
		}
		<-s.full
	}
	b.StopTimer()
	s.close()
	r.stop()
}

// BenchmarkQueue sends messages of 2 KiB by eight producers through a queue to a consumer that acknowledges each.
func BenchmarkQueue(b *testing.B) {
	r := newRig(b, nil)
	const producers = 8
	consumer := r.login("")
	consumer.subscribe("1", "/queue/q", "ack:client-individual\nprefetch-count:1000\n")
	n := (b.N + producers - 1) / producers * producers
	body := strings.Repeat("q", 2048)
	b.SetBytes(int64(len(body)))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range producers {
		c := r.login("")
		wg.Go(func() {
			w := bufio.NewWriterSize(c, 32<<10)
			for k := range n / producers {
				_, _ = w.WriteString("SEND\ndestination:/queue/q\ncontent-length:2048\n")
				if k%100 == 99 { // as a sender does that minds its receipts
					_, _ = w.WriteString("receipt:r\n")
				}
				_, _ = w.WriteString("\n" + body + "\x00")
				if k%100 == 99 {
					_ = w.Flush()
					c.want("RECEIPT")
				}
			}
			_ = w.Flush()
		})
	}
	acknowledge(b, consumer, n)
	until(b, "the last ACK", func() bool { return r.Stats().HeldMessages == 0 })
	b.StopTimer()
	wg.Wait()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
}

// acknowledge takes n messages, with a parser that costs less than what is measured.
func acknowledge(b *testing.B, c *client, n int) {
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	in, out := bufio.NewReaderSize(c, 64<<10), bufio.NewWriterSize(c, 64<<10)
	for range n {
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 1 {
				break
			}
			if id, ok := bytes.CutPrefix(line, []byte("ack:")); ok {
				_, _ = out.WriteString("ACK\nid:")
				_, _ = out.Write(id)
				_, _ = out.WriteString("\n\x00")
			}
			if s, ok := bytes.CutPrefix(line, []byte("content-length:")); ok {
				length, _ = strconv.Atoi(string(s[:len(s)-1]))
			}
		}
		if _, err := io.CopyN(io.Discard, in, int64(length)+1); err != nil {
			b.Fatal(err)
		}
		if in.Buffered() == 0 {
			_ = out.Flush()
		}
	}
	_ = out.Flush()
}
