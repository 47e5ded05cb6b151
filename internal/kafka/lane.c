#include "lane.h"

#include <stdlib.h>
#include <string.h>

static void watch(rd_kafka_queue_t *queue, int fd) { rd_kafka_queue_io_event_enable(queue, fd, "1", 1); }

static void unwatch(rd_kafka_queue_t *queue) { rd_kafka_queue_io_event_enable(queue, -1, NULL, 0); }

lane *lane_new(rd_kafka_t *rk, const char *topic, int32_t partition, int fd) {
        lane *l = calloc(1, sizeof(*l));
        if (!l)
                return NULL;
        l->queue = rd_kafka_queue_get_partition(rk, topic, partition);
        if (!l->queue) {
                free(l);
                return NULL;
        }
        rd_kafka_queue_forward(l->queue, NULL);
        watch(l->queue, fd);
        return l;
}

void lane_drop(lane *l) {
        for (; l->first < l->count; l->first++)
                rd_kafka_message_destroy(l->kept[l->first]);
        l->first = l->count = 0;
}

void lane_free(lane *l) {
        unwatch(l->queue);
        lane_drop(l);
        rd_kafka_queue_destroy(l->queue);
        free(l);
}

// next_message returns the first message that was not read yet, or null.
static message *next_message(lane *l, int max) {
        if (l->first == l->count) {
                int n    = max < LANE_KEPT ? max : LANE_KEPT;
                n        = (int)rd_kafka_consume_batch_queue(l->queue, 0, l->kept, n);
                l->first = 0;
                l->count = n > 0 ? n : 0;
                if (l->count == 0)
                        return NULL;
        }
        return l->kept[l->first];
}

static void done(lane *l) { rd_kafka_message_destroy(l->kept[l->first++]); }

static void keep_error(lane *l, const message *m) {
        size_t n = m->len < sizeof(l->error_text) - 1 ? m->len : sizeof(l->error_text) - 1;
        if (!m->payload)
                n = 0;
        if (n > 0)
                memcpy(l->error_text, m->payload, n);
        l->error_text[n] = 0;
        l->error         = m->err;
}

static void append(uint8_t *buffer, size_t *len, const void *bytes, size_t n) {
        if (n > 0)
                memcpy(buffer + *len, bytes, n);
        *len += n;
}

int lane_read(lane *l, int max, size_t limit, int64_t *offsets, int64_t *timestamps, intptr_t *ends, uint8_t *data,
              size_t data_cap, intptr_t *key_ends, uint8_t *keys, size_t key_cap, uint8_t *nulls) {
        message *m;
        size_t bytes = 0;
        int n = 0, type;

        l->data_need = l->key_need = 0;
        l->at_end = l->error = 0;
        while (n < max && bytes < limit && (m = next_message(l, max - n))) {
                if (m->err == ERR_PARTITION_EOF) {
                        l->next   = m->offset;
                        l->at_end = 1;
                        done(l);
                        continue;
                }
                if (m->err) {
                        keep_error(l, m);
                        done(l);
                        break;
                }
                if (m->len > data_cap - l->data_len || (nulls && m->key_len > key_cap - l->key_len)) {
                        l->data_need = m->len;
                        l->key_need  = nulls ? m->key_len : 0;
                        break;
                }
                append(data, &l->data_len, m->payload, m->len);
                offsets[n]    = m->offset;
                timestamps[n] = rd_kafka_message_timestamp(m, &type);
                ends[n]       = (intptr_t)l->data_len;
                if (nulls) {
                        append(keys, &l->key_len, m->key, m->key_len);
                        key_ends[n] = (intptr_t)l->key_len;
                        nulls[n]    = m->payload == NULL;
                }
                bytes += m->len + (nulls ? m->key_len : 0);
                l->next   = m->offset + 1;
                l->at_end = 0;
                n++;
                done(l);
        }
        return n;
}

rd_kafka_queue_t *events_watch(rd_kafka_t *rk, int fd) {
        rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
        if (queue)
                watch(queue, fd);
        return queue;
}

void events_free(rd_kafka_queue_t *queue) {
        unwatch(queue);
        rd_kafka_queue_destroy(queue);
}
