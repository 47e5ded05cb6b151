// Package dataset fetches the half year of flights that the benchmarks read.
package dataset

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The half year of flights, as published.
const (
	published = "vega-datasets"
	version   = "3.2.1"
	member    = "package/data/flights-3m.parquet"
	digest    = "dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0"
	largest   = 1 << 30 // bytes that are unpacked at most
)

// Fetch returns the flights file in a folder, where npm brings it the first time.
// say is told before.
func Fetch(ctx context.Context, folder string, say func(format string, args ...any)) (string, error) {
	file := filepath.Join(folder, "flights-3m.parquet")
	if err := check(file); err == nil || !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	spec := published + "@" + version
	say("fetching %s by npm", spec)
	npm := exec.CommandContext(ctx, "npm", "pack", "--silent", spec)
	npm.Dir = folder
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot fetch %s by npm: %w\n%s\nnpm is needed once; or put the file %s of the package at %q yourself", spec, err, out, member, file)
	}
	archive := filepath.Join(folder, published+"-"+version+".tgz")
	defer os.Remove(archive)
	if err := unpack(archive, member, file); err != nil {
		return "", err
	}
	return file, check(file)
}

// check holds a file against the digest.
func check(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != digest {
		return fmt.Errorf("cannot use %q: its SHA-256 is %s, not %s; remove it", file, got, digest)
	}
	return nil
}

// unpack writes one member of a .tgz to a file, all of it or nothing.
func unpack(archive, member, file string) (err error) {
	fail := func(err error) error { return fmt.Errorf("cannot unpack %q: %w", archive, err) }
	in, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		return fail(err)
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return fail(fmt.Errorf("it holds no %q", member))
		}
		if err != nil {
			return fail(err)
		}
		if h.Name == member {
			break
		}
	}
	partial := file + ".partial"
	out, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer os.Remove(partial)
	if _, err = io.Copy(out, io.LimitReader(t, largest)); err != nil {
		return errors.Join(fail(err), out.Close())
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(partial, file)
}
