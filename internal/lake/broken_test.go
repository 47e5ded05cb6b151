package lake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parallax.example/internal/lake"
)

// Whatever happened to a lake, a reader gets a whole chain or an error that
// names the file.
func TestBrokenChain(t *testing.T) {
	const folder = "manifests/parallax.events/0/"
	name := func(start string) string {
		return folder + strings.Repeat("0", 20-len(start)) + start + ".json"
	}
	read := func(t *testing.T, d *lake.Dir, p string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(d.Folder(), p))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func(t *testing.T, d *lake.Dir, p, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(d.Folder(), p), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The lake begins with the ranges 0–10, 10–20 and 20–30.
	f := func(what string, harm func(t *testing.T, d *lake.Dir), names ...string) {
		t.Run(what, func(t *testing.T) {
			d := create(t)
			for start := int64(0); start < 30; start += 10 {
				commit(t, d, 0, start, start+10)
			}
			harm(t, d)
			_, err := d.Chain(topic, 0)
			if len(names) == 0 {
				if err != nil {
					t.Errorf("a harmless thing: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("nobody noticed")
			}
			for _, n := range names {
				if !strings.Contains(err.Error(), n) {
					t.Errorf("the error does not speak of %q: %v", n, err)
				}
			}
		})
	}
	remove := func(p string) func(*testing.T, *lake.Dir) {
		return func(t *testing.T, d *lake.Dir) {
			if err := os.Remove(filepath.Join(d.Folder(), p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(p, old, new string) func(*testing.T, *lake.Dir) {
		return func(t *testing.T, d *lake.Dir) {
			text := read(t, d, p)
			if !strings.Contains(text, old) {
				t.Fatalf("%s has no %q", p, old)
			}
			write(t, d, p, strings.Replace(text, old, new, 1))
		}
	}

	f("middle missing", remove(name("10")), name("10"), "missing")
	f("first missing", remove(name("0")), name("0"), "missing")
	f("overlap", func(t *testing.T, d *lake.Dir) { commit(t, d, 0, 15, 20) }, name("15"), "overlaps")
	f("gap", func(t *testing.T, d *lake.Dir) { commit(t, d, 0, 31, 40) }, name("30"), name("31"))
	f("foreign JSON", func(t *testing.T, d *lake.Dir) { write(t, d, folder+"notes.json", "{}") }, "notes.json")
	f("foreign content", func(t *testing.T, d *lake.Dir) { write(t, d, name("10"), `{"a":1}`) }, name("10"), "version")
	f("no content", func(t *testing.T, d *lake.Dir) { write(t, d, name("10"), "") }, name("10"))
	f("half", func(t *testing.T, d *lake.Dir) {
		text := read(t, d, name("10"))
		write(t, d, name("10"), text[:len(text)/2])
	}, name("10"))
	f("unknown version", edit(name("10"), `"version": 1`, `"version": 2`), name("10"), "unknown version 2")
	f("unknown field", edit(name("10"), `"version": 1`, `"version": 1, "x": 1`), name("10"), `"x"`)
	f("doubled field", edit(name("10"), `"version": 1`, `"version": 1, "version": 1`), name("10"))
	f("edited by hand", edit(name("10"), "\n", "\n\n"), name("10"), "edited")
	f("another's manifest", func(t *testing.T, d *lake.Dir) { write(t, d, name("10"), read(t, d, name("20"))) }, name("10"), name("20"))
	f("another topic id", edit(name("10"), `"topic_id": "id-1"`, `"topic_id": "id-2"`), name("10"), "id-2")
	f("another partition count", edit(name("10"), `"partitions": 4`, `"partitions": 5`), name("10"), "5 partitions")
	f("another first offset", edit(name("10"), `"first": 0`, `"first": 5`), name("10"))
	f("path out of the lake", edit(name("10"), `"path": "events/`, `"path": "../events/`), name("10"), "../events/")
	f("absolute path", edit(name("10"), `"path": "events/`, `"path": "/events/`), name("10"), "/events/")
	f("path in another folder", edit(name("10"), `hour=05`, `hour=06`), name("10"), "hour=06")
	f("more rows than offsets", edit(name("10"), `"rows": 10`, `"rows": 11`), name("10"))
	f("counts", edit(name("10"), `"events": 10`, `"events": 9`), name("10"))
	f("a folder in its place", func(t *testing.T, d *lake.Dir) {
		remove(name("10"))(t, d)
		if err := os.Mkdir(filepath.Join(d.Folder(), name("10")), 0o755); err != nil {
			t.Fatal(err)
		}
	}, name("10"))
	f("other files", func(t *testing.T, d *lake.Dir) {
		write(t, d, folder+".DS_Store", "x")
		write(t, d, folder+"00000000000000000030.json.crc", "x")
		write(t, d, folder+"abc.tmp", "x")
	})
}

// A manifest that is put in the place of a link to the outside is not read.
func TestLinksOutOfTheLake(t *testing.T) {
	d := create(t)
	m := commit(t, d, 0, 0, 10)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("0 10"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(d.Folder(), m.Files[0].Path)
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, p); err != nil {
		t.Fatal(err)
	}
	if f, err := d.OpenFile(&m.Files[0]); err == nil {
		f.Close()
		t.Error("a file outside of the lake was opened")
	}
	if err := d.Verify(t.Context(), m); err == nil {
		t.Error("a file outside of the lake was verified")
	}
	if f, err := d.OpenFile(&lake.File{Path: "../secret"}); err == nil {
		f.Close()
		t.Error("a path out of the lake was opened")
	}
}

func TestVerify(t *testing.T) {
	d := create(t)
	m := commit(t, d, 0, 0, 10)
	p := filepath.Join(d.Folder(), m.Files[0].Path)
	text, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(p, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := d.Verify(t.Context(), m); err == nil || !strings.Contains(err.Error(), m.Files[0].Path) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f("longer", append(text, 'x'))
	f("shorter", text[1:])
	flipped := append([]byte{}, text...)
	flipped[0] ^= 1
	f("one bit", flipped)
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(t.Context(), m); err == nil {
		t.Error("a missing file was verified")
	}
}

func TestChainsOfTwoTopics(t *testing.T) {
	d := create(t)
	commit(t, d, 0, 0, 10)
	dr, m := draft(t, d, 1, 0, 10, "x")
	m.TopicID = "id-2"
	if err := dr.Commit(m); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Chains(topic); err == nil || !strings.Contains(err.Error(), "id-2") {
		t.Errorf("two topics of one name in one lake: %v", err)
	}
}

func TestTopicNames(t *testing.T) {
	d := create(t)
	for _, bad := range []string{"", ".", "..", "a/b", "../a", "a\x00", "a b", `a\b`, "ä", strings.Repeat("a", 171)} {
		if _, err := d.Chain(bad, 0); err == nil {
			t.Errorf("topic %q was accepted", bad)
		}
		if _, err := d.Chains(bad); err == nil {
			t.Errorf("topic %q was accepted", bad)
		}
	}
	long := strings.Repeat("a", 170)
	dr, m := draft(t, d, 2147483646, 1<<62, 1<<62+1, "x")
	m.Topic, m.Partitions, m.First = long, 2147483647, 1<<62
	if err := dr.Commit(m); err != nil {
		t.Errorf("the longest name: %v", err)
	}
	if c, err := d.Chain(long, 2147483646); err != nil || len(c.Manifests) != 1 {
		t.Errorf("the longest name: %v, %v", c, err)
	}
}
