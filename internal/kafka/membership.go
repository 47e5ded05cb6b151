package kafka

/*
#include "librdkafka.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// errNoMember is what a proof of membership lacks before the group was joined.
var errNoMember = errors.New("this consumer has no member id or no generation, so the coordinator would check nothing")

// proves returns nil if the coordinator will check the metadata: it lets offsets
// of a transaction pass unseen when there is neither a member nor a generation.
// The Go client keeps the serialized form in a field that is not exported; where
// it cannot be read, that the caller owns a partition has to do.
func proves(m *ck.ConsumerGroupMetadata) error {
	field := reflect.ValueOf(m).Elem().FieldByName("serialized")
	if able() != nil || !field.IsValid() || field.Type() != reflect.TypeFor[[]byte]() || field.Len() == 0 {
		return nil
	}
	serialized := field.Bytes()
	var native *C.rd_kafka_consumer_group_metadata_t
	if e := C.rd_kafka_consumer_group_metadata_read(&native, unsafe.Pointer(&serialized[0]), C.size_t(len(serialized))); e != nil {
		C.rd_kafka_error_destroy(e)
		return fmt.Errorf("cannot read a serialized proof of membership of %d bytes", len(serialized))
	}
	defer C.rd_kafka_consumer_group_metadata_destroy(native)
	if C.rd_kafka_consumer_group_metadata_generation_id(native) < 0 || C.GoString(C.rd_kafka_consumer_group_metadata_member_id(native)) == "" {
		return errNoMember
	}
	return nil
}
