#include "produce.h"

// Records of one call: see perCall in lane.go.
enum { CHUNK = 32 };

static int failed(const message *messages, int n) {
        int i = 0;
        while (i < n && !messages[i].err)
                i++;
        return i;
}

static message record(const uint8_t *data, const entry *entries, int i) {
        const entry *e = &entries[i];
        intptr_t start = i > 0 ? e[-1].value_end : 0;
        return (message){
            .payload = e->tombstone ? NULL : (void *)(data + e->key_end),
            .len     = (size_t)(e->value_end - e->key_end),
            .key     = e->keyless ? NULL : (void *)(data + start),
            .key_len = (size_t)(e->key_end - start),
        };
}

int produce_some(rd_kafka_topic_t **topics, int32_t partition, const uint8_t *data, const entry *entries, int n,
                 int *topic, int *at) {
        message messages[CHUNK];
        int places[CHUNK];
        int i, count = 0, bad;

        for (i = *at; i < n && count < CHUNK; i++) {
                if (entries[i].topic != *topic)
                        continue;
                messages[count] = record(data, entries, i);
                places[count++] = i;
        }
        if (count > 0 && rd_kafka_produce_batch(topics[*topic], partition, MSG_F_COPY, messages, count) < count) {
                // After a full queue the library refuses the rest of the batch as
                // well, so the first that failed is where to go on.
                bad = failed(messages, count);
                *at = places[bad];
                return messages[bad].err;
        }
        *at = i;
        if (i == n) {
                (*topic)++;
                *at = 0;
        }
        return 0;
}
