/*===- capi.c - An application in C ------------------------------------===*\
|*
|* Includes both headers as C11, and runs a model through libdsrt.so: the first
|* tokens, the errors that a caller can make, and everything closed again.
|*
\*===-------------------------------------------------------------------===*/

#include "dsrt/abi.h"
#include "dsrt/dsrt.h"

#include <stdio.h>

static int32_t most_likely(const dsrt_step_result *result) {
  int32_t best = 0;
  for (int32_t v = 1; v < result->vocabulary; ++v)
    if (result->logits[v] > result->logits[best])
      best = v;
  return best;
}

static void show(const char *what, dsrt_status status) {
  printf("%s: %d %s\n", what, status, status ? dsrt_last_error() : "");
}

static int run(dsrt_model *model) {
  dsrt_session *session = NULL;
  dsrt_session_options options = {2, 1, 100};
  if (dsrt_session_create(model, &options, &session)) {
    show("session", 1);
    return 1;
  }
  int32_t sequence, ids[3] = {1, 2, 3}, other;
  dsrt_session_add_sequence(session, &sequence);
  show("one sequence too many", dsrt_session_add_sequence(session, &other));
  dsrt_chunk chunk = {sequence, ids, 3};
  dsrt_step step = {&chunk, 1, DSRT_ENTRY_AUTO, 0};
  dsrt_step_result result;
  for (int i = 0; i < 4; ++i) {
    if (dsrt_session_run(session, &step, &result)) {
      show("run", 1);
      return 1;
    }
    ids[0] = most_likely(&result);
    chunk.count = 1;
    printf("token %d of %d row\n", ids[0], (int)result.rows);
  }
  ids[0] = 99;
  show("id out of range", dsrt_session_run(session, &step, &result));
  step.chunk_count = -1;
  show("negative count", dsrt_session_run(session, &step, &result));
  show("null step", dsrt_session_run(session, NULL, &result));
  show("remove", dsrt_session_remove_sequence(session, sequence));
  dsrt_session_destroy(session);
  return 0;
}

int main(int argc, char **argv) {
  dsrt_model *model = NULL;
  show("no file", dsrt_model_open("/nonexistent.so", &model));
  if (argc < 2 || dsrt_model_open(argv[1], &model)) {
    show("open", 1);
    return 1;
  }
  dsrt_model_info info;
  show("info", dsrt_model_get_info(model, &info));
  printf("%s for %s, %d ids, context %d\n", info.name, info.target,
         (int)info.vocabulary, (int)info.context_length);
  dsrt_session *session = NULL;
  show("no weights", dsrt_session_create(model, NULL, &session));
  show("device", dsrt_model_open_device(model, argc > 2 ? argv[2] : "auto"));
  show("weights", dsrt_model_bind_weights(model, NULL));
  show("device too late", dsrt_model_open_device(model, "auto"));
  int code = run(model);
  dsrt_model_close(model);
  dsrt_model_close(NULL);
  dsrt_session_destroy(NULL);
  return code;
}
