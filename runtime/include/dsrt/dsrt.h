/*===- dsrt/dsrt.h - What an application calls ------------------------------===*\
|*
|* Open a compiled model, give it its weights, make a session, run steps:
|*
|*   dsrt_model *model;
|*   dsrt_session *session;
|*   dsrt_model_open("model.so", &model);
|*   dsrt_model_bind_weights(model, NULL);
|*   dsrt_session_create(model, NULL, &session);
|*   dsrt_session_add_sequence(session, &sequence);
|*   dsrt_session_run(session, &step, &result);
|*   dsrt_session_destroy(session);
|*   dsrt_model_close(model);
|*
|* Every function that can fail returns a status; dsrt_last_error() is the text
|* of the last failure on the calling thread. No function aborts, prints, or
|* throws. A model may be shared by sessions of several threads; a session is
|* used by one thread at a time. C11.
|*
\*===----------------------------------------------------------------------===*/

#ifndef DSRT_DSRT_H
#define DSRT_DSRT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t dsrt_status;
enum {
  DSRT_OK = 0,
  DSRT_INVALID_ARGUMENT = 1, /* a value the caller gave: out of range, null */
  DSRT_NOT_FOUND = 2,        /* a file, weight or entry that is not there */
  DSRT_MALFORMED = 3,        /* a file or module that contradicts itself */
  DSRT_VERSION_MISMATCH = 4, /* model and runtime have different ABI versions */
  DSRT_LIMIT_EXCEEDED = 5,   /* more than the plan or the context allows */
  DSRT_OUT_OF_MEMORY = 6,
  DSRT_IO_ERROR = 7,         /* the system could not read or write */
  DSRT_EXPECTATION_FAILED = 8, /* a check inside of the model did not hold */
  DSRT_MODEL_FAILED = 9,     /* the model's own code returned an error */
  DSRT_UNSUPPORTED = 10,     /* this machine cannot run the model's code */
  DSRT_DEVICE_FAILED = 11    /* a GPU or its driver reported an error */
};

/* The text of this thread's last failure, "" if there was none. Valid until the
 * thread's next failure. */
const char *dsrt_last_error(void);

/*===----------------------------------------------------------------------===*\
|* Models
\*===----------------------------------------------------------------------===*/

typedef struct dsrt_model dsrt_model;

/* Opens a shared object made by the compiler. Close it after its sessions. */
dsrt_status dsrt_model_open(const char *path, dsrt_model **model);
void dsrt_model_close(dsrt_model *model);

/* Chooses where a model runs, before its weights are bound. A model compiled for
 * GPUs: "auto" or "cuda" (the first GPU), "simulator", or the path of a driver
 * library; without this call it is "auto". One compiled for the processor:
 * "auto". */
dsrt_status dsrt_model_open_device(dsrt_model *model, const char *device);

/* Binds every weight of the model to the tensors of `source`: a checkpoint
 * folder, "seed:N" or "splat:X"; NULL is the source it was compiled from. */
dsrt_status dsrt_model_bind_weights(dsrt_model *model, const char *source);

typedef struct dsrt_model_info {
  const char *name;   /* "deepseek_v3" */
  const char *target; /* "host:x86-64-v3" */
  const char *source; /* where the weights lie unless told otherwise */
  const int64_t *eos_tokens;
  int64_t eos_count;
  int64_t bos_token;      /* -1: none */
  int64_t vocabulary;     /* token ids are 0 .. vocabulary - 1 */
  int64_t hidden_size;
  int64_t context_length; /* tokens per sequence at most */
  int64_t max_tokens;     /* new tokens per step at most */
  int64_t max_sequences;  /* sequences per step at most */
} dsrt_model_info;

/* The pointers stay valid until the model is closed. */
dsrt_status dsrt_model_get_info(const dsrt_model *model, dsrt_model_info *info);

/*===----------------------------------------------------------------------===*\
|* Sessions
\*===----------------------------------------------------------------------===*/

typedef struct dsrt_session dsrt_session;

/* Zero means the default. */
typedef struct dsrt_session_options {
  int32_t threads;       /* default: the cores this process may use */
  int32_t max_sequences; /* default: the model's */
  int64_t context;       /* tokens per sequence; default: the model's */
} dsrt_session_options;

/* Reserves the workspace and the cache; `options` may be NULL. No later step
 * allocates. */
dsrt_status dsrt_session_create(dsrt_model *model,
                                const dsrt_session_options *options,
                                dsrt_session **session);
void dsrt_session_destroy(dsrt_session *session);

/* A sequence is an empty cache that steps append to. Removing it gives its
 * pages back. */
dsrt_status dsrt_session_add_sequence(dsrt_session *session, int32_t *sequence);
dsrt_status dsrt_session_remove_sequence(dsrt_session *session,
                                         int32_t sequence);

/* The next tokens of one sequence. */
typedef struct dsrt_chunk {
  int32_t sequence;
  const int32_t *tokens;
  int64_t count;
} dsrt_chunk;

/* Which compiled entry runs a step. */
enum {
  DSRT_ENTRY_AUTO = 0, /* prefill if all sequences are empty, else decode */
  DSRT_ENTRY_PREFILL = 1,
  DSRT_ENTRY_DECODE = 2
};

typedef struct dsrt_step {
  const dsrt_chunk *chunks; /* each of another sequence */
  int64_t chunk_count;
  int32_t entry;
  int32_t all_logits; /* 0: of the last token of each chunk; 1: of every token */
} dsrt_step;

/* Valid until the session's next step. */
typedef struct dsrt_step_result {
  const float *logits; /* [rows, vocabulary] in the order of the chunks */
  int64_t rows;
  int64_t vocabulary;
} dsrt_step_result;

/* Runs one step. A step that is refused changes nothing. */
dsrt_status dsrt_session_run(dsrt_session *session, const dsrt_step *step,
                             dsrt_step_result *result);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* DSRT_DSRT_H */
