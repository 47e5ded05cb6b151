package lake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"parallax.example/internal/failpoint"
)

// Verify reads every file that m names and compares its size and SHA-256.
func (d *Dir) Verify(ctx context.Context, m *Manifest) error {
	for i := range m.Files {
		if err := d.verify(ctx, &m.Files[i]); err != nil {
			return fmt.Errorf("cannot trust %s: %w", m.place(), err)
		}
	}
	return nil
}

func (d *Dir) verify(ctx context.Context, want *File) error {
	if failpoint.Mutant("lake/unverified") {
		return nil
	}
	f, err := d.OpenFile(want)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot read lake file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() != want.Size {
		return fmt.Errorf("file %q has %d bytes, the manifest says %d", want.Path, info.Size(), want.Size)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, cancellable{ctx, f}); err != nil {
		return fmt.Errorf("cannot read lake file: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("file %q has the SHA-256 %s, the manifest says %s", want.Path, got, want.SHA256)
	}
	return nil
}

type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Orphans lists the files that no manifest names, sorted: what dead or losing
// writers left, and what a living one is writing at the moment. Readers ignore
// them. Nothing is deleted here.
func (d *Dir) Orphans(ctx context.Context) ([]string, error) {
	// Files first, manifests second: a file committed in between is named.
	var files []string
	for _, folder := range []string{eventsFolder, manifestsFolder} {
		err := fs.WalkDir(d.root.FS(), folder, func(p string, e fs.DirEntry, err error) error {
			switch {
			case err != nil && p == folder:
				return nil // there is no such folder yet
			case err != nil:
				return err
			case !e.IsDir() && (folder == eventsFolder || strings.HasSuffix(p, temporary)):
				files = append(files, p)
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list lake: %w", err)
		}
	}
	named := map[string]bool{}
	topics, err := d.Topics()
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		chains, err := d.Chains(t)
		if err != nil {
			return nil, err
		}
		for _, c := range chains {
			for _, m := range c.Manifests {
				for _, f := range m.Files {
					named[f.Path] = true
				}
			}
		}
	}
	files = slices.DeleteFunc(files, func(p string) bool { return named[p] })
	slices.Sort(files)
	return files, nil
}
