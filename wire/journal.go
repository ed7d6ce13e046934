package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// MaxRecord bounds one record of a Journal, in bytes.
const MaxRecord = 4 << 20

// File is what a Journal needs of a file. A test gives one whose disk is full.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// OpenFunc opens the file at path for reading and writing. With create it makes an empty one that stays when the machine stops; without, a
// file that is not there is fs.ErrNotExist.
type OpenFunc func(path string, create bool) (File, error)

// Journal is a file to which records are only ever appended. It outlives a kill at any moment: what Sync has returned for is there again, in
// order, and a record that was written in part is cut off. The file is made with the first record. Safe for concurrent use.
//
// A record is its length (uint32, little endian), a CRC-32C (uint32) over the CRC before it and its bytes, and its bytes. The chain of CRCs
// keeps a record that was left behind by a failed write from being read again after a shorter one has taken its place.
type Journal struct {
	path string
	lost int64 // bytes that were cut off when it was opened

	mu      sync.Mutex // guards all below
	open    OpenFunc
	cond    *sync.Cond // syncing has become false
	file    File       // nil: not made yet
	size    int64      // where the next record goes
	synced  int64      // so much is on disk
	chain   uint32     // the CRC of the last record
	safe    uint32     // the CRC of the last record that is on disk
	syncing bool
	epoch   *epoch // of the records after synced
}

// epoch is a stretch of records that come to disk, or do not, with the file that they were written to.
type epoch struct {
	over bool  // set: nobody waits for a sync any more
	err  error // nil: they are on disk
}

// Ticket stands for a record that was appended and may not be on disk yet. That of the zero value is.
type Ticket struct {
	epoch *epoch
	end   int64
}

// recordHead is the length of what stands before a record's bytes.
const recordHead = 8

// OpenJournal reads the journal at path and calls replay with every record and where it stands; the record is valid during the call only.
// What follows the first bad record is cut off. A nil open means the file system.
func OpenJournal(path string, open OpenFunc, replay func(at int64, record []byte) error) (*Journal, error) {
	if open == nil {
		open = openFile
	}
	j := &Journal{path: path, open: open, epoch: new(epoch)}
	j.cond = sync.NewCond(&j.mu)
	file, err := open(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.file = file
	if err := j.replay(replay); err != nil {
		file.Close()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal) replay(replay func(at int64, record []byte) error) error {
	r := io.NewSectionReader(j.file, 0, 1<<62)
	var head [recordHead]byte
	var record []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break
		}
		n := binary.LittleEndian.Uint32(head[:])
		if n == 0 || n > MaxRecord {
			break
		}
		if cap(record) < int(n) {
			record = make([]byte, n)
		}
		record = record[:n]
		if _, err := io.ReadFull(r, record); err != nil {
			break
		}
		sum := checksum(j.chain, record)
		if sum != binary.LittleEndian.Uint32(head[4:]) {
			break
		}
		if err := replay(j.size, record); err != nil {
			return err
		}
		j.size, j.chain = j.size+recordHead+int64(n), sum
	}
	rest, err := io.Copy(io.Discard, io.NewSectionReader(j.file, j.size, 1<<62-j.size))
	if err != nil {
		return err
	}
	if j.lost = rest; rest > 0 {
		if err := j.file.Truncate(j.size); err != nil {
			return fmt.Errorf("cut off %d bytes that are torn: %w", rest, err)
		}
	}
	j.synced, j.safe = j.size, j.chain
	return nil
}

func checksum(chain uint32, record []byte) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], chain)
	return crc32.Update(crc32.Update(0, castagnoli, b[:]), castagnoli, record)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Lost tells how many bytes at the end were cut off by OpenJournal, because they were torn or damaged.
func (j *Journal) Lost() int64 { return j.lost }

// Size is that of the file, in bytes.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Append writes a record, which is on disk when Sync has returned for its ticket. ErrUnavailable: it could not be written, most often because
// the disk is full; the journal is as it was before, and another Append may work.
func (j *Journal) Append(record []byte) (at int64, t Ticket, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(record) == 0 || len(record) > MaxRecord {
		return 0, Ticket{}, fmt.Errorf("journal: a record of %d bytes: %w", len(record), fettle.ErrInvalid)
	}
	if j.file == nil {
		if j.file, err = j.open(j.path, true); err != nil {
			j.file = nil
			return 0, Ticket{}, fmt.Errorf("make journal: %w: %w", err, fettle.ErrUnavailable)
		}
	}
	at = j.size
	end, chain, err := writeRecord(j.file, at, j.chain, record)
	if err != nil {
		return 0, Ticket{}, fmt.Errorf("journal %s: %w: %w", j.path, err, fettle.ErrUnavailable)
	}
	j.size, j.chain = end, chain
	return at, Ticket{j.epoch, end}, nil
}

// writeRecord gives the end of the record and the CRC of it. What it wrote before it failed is cut off by the next replay, or overwritten.
func writeRecord(f File, at int64, chain uint32, record []byte) (int64, uint32, error) {
	buf := make([]byte, recordHead, recordHead+len(record))
	sum := checksum(chain, record)
	binary.LittleEndian.PutUint32(buf, uint32(len(record)))
	binary.LittleEndian.PutUint32(buf[4:], sum)
	if _, err := f.WriteAt(append(buf, record...), at); err != nil {
		_ = f.Truncate(at) // tidy, and not needed: the chain of CRCs ends here in any case
		return at, chain, err
	}
	return at + int64(len(buf)) + int64(len(record)), sum, nil
}

// Sync returns when the ticket's record is on disk. Many callers share one flush. ErrUnavailable: the disk did not take it, and the record and
// all that were written after the last good flush are gone from the journal.
func (j *Journal) Sync(t Ticket) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for t.epoch != nil {
		switch {
		case t.epoch.over:
			return t.epoch.err
		case j.synced >= t.end:
			return nil
		case j.syncing:
			j.cond.Wait()
		case j.file == nil:
			return fmt.Errorf("journal %s: %w: %w", j.path, fs.ErrClosed, fettle.ErrUnavailable)
		default:
			j.flush()
		}
	}
	return nil
}

// flush is called with mu held, and lets go of it while the disk works.
func (j *Journal) flush() {
	file, size, chain := j.file, j.size, j.chain
	j.syncing = true
	j.mu.Unlock()
	err := file.Sync()
	j.mu.Lock()
	j.syncing = false
	j.cond.Broadcast()
	if err == nil {
		j.synced, j.safe = size, chain
		return
	}
	// After a flush that failed nobody knows what of it is on disk, and a second one may lie: go back to what is known.
	j.endEpoch(fmt.Errorf("journal %s: flush: %w: %w", j.path, err, fettle.ErrUnavailable))
	j.size, j.chain = j.synced, j.safe
	_ = file.Truncate(j.size)
}

func (j *Journal) endEpoch(err error) {
	j.epoch.over, j.epoch.err = true, err
	j.epoch = new(epoch)
}

// Read gives the record at a place that Append or replay gave.
func (j *Journal) Read(at int64) ([]byte, error) {
	j.mu.Lock()
	file := j.file
	j.mu.Unlock()
	return j.read(file, at)
}

func (j *Journal) read(file File, at int64) ([]byte, error) {
	if file == nil {
		return nil, fmt.Errorf("journal %s: nothing is in it: %w", j.path, fettle.ErrNotFound)
	}
	var head [recordHead]byte
	if _, err := file.ReadAt(head[:], at); err != nil {
		return nil, fmt.Errorf("journal %s: %w", j.path, err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > MaxRecord {
		return nil, fmt.Errorf("journal %s: no record at %d: %w", j.path, at, fettle.ErrNotFound)
	}
	record := make([]byte, n)
	if _, err := file.ReadAt(record, at+recordHead); err != nil {
		return nil, fmt.Errorf("journal %s: %w", j.path, err)
	}
	return record, nil
}

// Rewrite puts the records that fill writes in the place of all others, and is on disk when it returns. What was appended before and is not
// written again is gone; its tickets are good. When it fails, the journal is as it was. Fill reads old records by read, and calls no method.
func (j *Journal) Rewrite(fill func(read func(at int64) ([]byte, error), write func(record []byte) (at int64, err error)) error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.syncing {
		j.cond.Wait()
	}
	path := j.path + ".new"
	file, err := j.open(path, true)
	if err != nil {
		return fmt.Errorf("rewrite journal: %w: %w", err, fettle.ErrUnavailable)
	}
	var size int64
	var chain uint32
	err = file.Truncate(0)
	if err == nil {
		read := func(at int64) ([]byte, error) { return j.read(j.file, at) }
		err = fill(read, func(record []byte) (int64, error) {
			at := size
			size, chain, err = writeRecord(file, at, chain, record)
			return at, err
		})
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(path, j.path)
	}
	if err != nil {
		file.Close()
		_ = os.Remove(path)
		return fmt.Errorf("rewrite journal %s: %w: %w", j.path, err, fettle.ErrUnavailable)
	}
	syncDir(j.path) // the old name with the old records would do as well
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size, j.synced, j.chain, j.safe = file, size, size, chain, chain
	j.endEpoch(nil)
	return nil
}

// Reset empties the journal. Tickets that were given before are good. The file stays.
func (j *Journal) Reset() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.syncing {
		j.cond.Wait()
	}
	if j.size == 0 {
		return nil
	}
	if err := j.file.Truncate(0); err != nil {
		return fmt.Errorf("empty journal %s: %w", j.path, err)
	}
	j.size, j.synced, j.chain, j.safe = 0, 0, 0, 0
	j.endEpoch(nil)
	return nil
}

// Close flushes and closes the file. Nothing can be appended after it.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.syncing {
		j.cond.Wait()
	}
	j.open = func(string, bool) (File, error) { return nil, fs.ErrClosed }
	if j.file == nil {
		return nil
	}
	var err error
	if j.synced < j.size {
		err = j.file.Sync()
	}
	j.endEpoch(err)
	err = errors.Join(err, j.file.Close())
	j.file = nil
	return err
}

// openFile is OpenFunc on the file system. Only the owner may read what it makes.
func openFile(path string, create bool) (File, error) {
	if !create {
		f, err := os.OpenFile(path, os.O_RDWR, 0o600)
		if err != nil {
			return nil, err // and not a File that holds a nil *os.File
		}
		return f, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	syncDir(path)
	return f, nil
}

// syncDir makes a new name last. Where folders cannot be flushed, as on Windows, names last without it.
func syncDir(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
