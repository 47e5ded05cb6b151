package task

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"parallax.example/internal/result"
)

// position is what a commit says of a partition: how far its input was taken
// in, by which transaction, and what that transaction wrote.
type position struct {
	offset      int64  // the next input offset
	transaction uint64 // counted from 1; 0 before the first
	watermark   int64
	records     uint32 // produced by the transaction
	digest      uint32 // CRC-32C over them
	topicID     string // of the input
	guarantee   Guarantee
}

// positionVersion begins the metadata, and the version of the results follows:
// answers of two forms in one topic would be no use to its readers. Another one
// of either is refused. Without exactly once it is another version, which says
// after these two what it is instead.
const (
	positionVersion = 2
	weakerVersion   = 3
)

// errOtherVersion says that another version of the program wrote the position.
var errOtherVersion = errors.New("another version of this program is at work here")

// metadata is the position, but for the offset, as text for the offset commit.
// Brokers limit it to 4,096 bytes; this is below 100.
func (p *position) metadata() string {
	b := []byte{positionVersion, result.Version}
	if p.guarantee != ExactlyOnce {
		b = []byte{weakerVersion, result.Version, byte(p.guarantee)}
	}
	b = binary.BigEndian.AppendUint64(b, p.transaction)
	b = binary.BigEndian.AppendUint64(b, uint64(p.watermark))
	b = binary.BigEndian.AppendUint32(b, p.records)
	b = binary.BigEndian.AppendUint32(b, p.digest)
	b = append(b, p.topicID...)
	return base64.StdEncoding.EncodeToString(b)
}

// parsePosition reads what was committed with an offset.
func parsePosition(offset int64, metadata string) (position, error) {
	b, err := base64.StdEncoding.DecodeString(metadata)
	if err != nil || len(b) == 0 {
		return position{}, errors.New("the metadata of the committed offset is not ours; something else commits for this group")
	}
	if b[0] != positionVersion && b[0] != weakerVersion {
		return position{}, fmt.Errorf("%w: the metadata of the committed offset has version %d, this one knows %d", errOtherVersion, b[0], positionVersion)
	}
	const fixed = 8 + 8 + 4 + 4
	form, guarantee := 2, ExactlyOnce
	if b[0] == weakerVersion {
		form = 3
	}
	if len(b) < form+fixed {
		return position{}, errors.New("the metadata of the committed offset is cut short")
	}
	if b[1] != result.Version {
		return position{}, fmt.Errorf("%w: the results topic holds messages of version %d, this one writes %d", errOtherVersion, b[1], result.Version)
	}
	if b[0] == weakerVersion {
		if guarantee = Guarantee(b[2]); guarantee != AtLeastOnce && guarantee != AtMostOnce {
			return position{}, fmt.Errorf("%w: the metadata of the committed offset names the guarantee %d", errOtherVersion, b[2])
		}
	}
	b = b[form:]
	return position{
		offset:      offset,
		transaction: binary.BigEndian.Uint64(b),
		watermark:   int64(binary.BigEndian.Uint64(b[8:])),
		records:     binary.BigEndian.Uint32(b[16:]),
		digest:      binary.BigEndian.Uint32(b[20:]),
		topicID:     string(b[fixed:]),
		guarantee:   guarantee,
	}, nil
}
