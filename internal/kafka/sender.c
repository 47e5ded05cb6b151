#include "sender.h"

#include <stdlib.h>

enum {
        PRODUCER       = 0,
        CONF_OK        = 0,
        PURGE_QUEUE    = 1,
        PURGE_INFLIGHT = 2,
};

// delivered is called by sender_serve, on its thread.
static void delivered(rd_kafka_t *rk, const message *m, void *opaque) {
        sender *s = opaque;
        (void)rk;
        if (m->err && s->lost++ == 0)
                s->error = m->err;
}

sender *sender_new(const char **settings, int n) {
        sender *s = calloc(1, sizeof *s);
        rd_kafka_conf_t *conf;
        int i;

        if (!s)
                return NULL;
        conf = rd_kafka_conf_new();
        for (i = 0; i < n; i++) {
                if (rd_kafka_conf_set(conf, settings[2 * i], settings[2 * i + 1], s->reason, sizeof s->reason) != CONF_OK) {
                        rd_kafka_conf_destroy(conf);
                        return s;
                }
        }
        rd_kafka_conf_set_opaque(conf, s);
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
        rd_kafka_conf_set_log_cb(conf, NULL); // its failures come back from calls
        s->rk = rd_kafka_new(PRODUCER, conf, s->reason, sizeof s->reason);
        if (!s->rk)
                rd_kafka_conf_destroy(conf);
        return s;
}

void sender_connect(sender *s, int wait_ms) {
        const void *answer;
        if (rd_kafka_metadata(s->rk, 0, NULL, &answer, wait_ms) == 0)
                rd_kafka_metadata_destroy(answer);
}

int sender_serve(sender *s, int wait_ms) {
        if (wait_ms > 0)
                rd_kafka_flush(s->rk, wait_ms); // which also sends without lingering
        else
                rd_kafka_poll(s->rk, 0);
        return rd_kafka_outq_len(s->rk);
}

void sender_free(sender *s) {
        if (s->rk) {
                rd_kafka_purge(s->rk, PURGE_QUEUE | PURGE_INFLIGHT);
                rd_kafka_poll(s->rk, 0);
                rd_kafka_destroy(s->rk);
        }
        free(s);
}
