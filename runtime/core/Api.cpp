//===- Api.cpp - The C functions of dsrt.h --------------------------------===//
//
// A thin layer: null checks, exceptions of the standard library turned into
// statuses, the message kept per thread.
//
//===----------------------------------------------------------------------===//

#include "dsrt/dsrt.h"

#include "runtime/core/Model.h"
#include "runtime/core/Session.h"

#include <new>

struct dsrt_model {
  dsrt::Model model;
};

struct dsrt_session {
  std::unique_ptr<dsrt::Session> session;
  std::vector<dsrt::StepChunk> chunks;
};

namespace {

using namespace dsrt;

std::string &lastError() {
  thread_local std::string message;
  return message;
}

/// Runs `body`, which returns a Status, and keeps its message.
template <typename Body>
dsrt_status guarded(Body body) {
  try {
    Status status = body();
    if (!status.ok())
      lastError() = status.message();
    return status.code();
  } catch (const std::bad_alloc &) {
    lastError() = "out of memory";
    return DSRT_OUT_OF_MEMORY;
  } catch (const std::exception &failure) {
    lastError() = failure.what();
    return DSRT_MODEL_FAILED;
  }
}

Status nullArgument(const char *function) {
  return error(DSRT_INVALID_ARGUMENT, "{}: an argument is null", function);
}

} // namespace

const char *dsrt_last_error(void) { return lastError().c_str(); }

dsrt_status dsrt_model_open(const char *path, dsrt_model **model) {
  return guarded([&]() -> Status {
    if (!path || !model)
      return nullArgument("dsrt_model_open");
    Result<Module> module = Module::open(path);
    if (!module.ok())
      return module.status();
    *model = new dsrt_model{Model(std::move(*module))};
    return Status();
  });
}

void dsrt_model_close(dsrt_model *model) { delete model; }

dsrt_status dsrt_model_open_device(dsrt_model *model, const char *device) {
  return guarded([&]() -> Status {
    if (!model || !device)
      return nullArgument("dsrt_model_open_device");
    if (model->model.hasWeights())
      return error(DSRT_INVALID_ARGUMENT,
                   "the device of a model is opened before its weights are "
                   "bound");
    DeviceOptions options;
    options.device = device;
    return model->model.openDevice(options);
  });
}

dsrt_status dsrt_model_bind_weights(dsrt_model *model, const char *source) {
  return guarded([&]() -> Status {
    if (!model)
      return nullArgument("dsrt_model_bind_weights");
    return model->model.bindWeights(
        source ? source : model->model.module().tables().source);
  });
}

dsrt_status dsrt_model_get_info(const dsrt_model *model,
                                dsrt_model_info *info) {
  return guarded([&]() -> Status {
    if (!model || !info)
      return nullArgument("dsrt_model_get_info");
    Result<StepLimits> limits = readStepLimits(model->model.module());
    if (!limits.ok())
      return limits.status();
    const dsrt_module &tables = model->model.module().tables();
    *info = {tables.name,
             tables.target,
             tables.source,
             tables.eos_tokens,
             static_cast<int64_t>(tables.eos_count),
             tables.bos_token,
             limits->vocabulary,
             limits->hiddenSize,
             limits->context,
             limits->maxTokens,
             limits->maxSequences};
    return Status();
  });
}

dsrt_status dsrt_session_create(dsrt_model *model,
                                const dsrt_session_options *options,
                                dsrt_session **session) {
  return guarded([&]() -> Status {
    if (!model || !session)
      return nullArgument("dsrt_session_create");
    if (!model->model.hasWeights())
      return error(DSRT_INVALID_ARGUMENT,
                   "the model has no weights yet; call dsrt_model_bind_weights "
                   "first");
    SessionOptions wanted;
    if (options) {
      if (options->threads < 0 || options->max_sequences < 0 ||
          options->context < 0)
        return error(DSRT_INVALID_ARGUMENT, "a session option is negative");
      wanted = {options->threads, options->max_sequences, options->context};
    }
    auto created = Session::create(model->model, wanted);
    if (!created.ok())
      return created.status();
    const size_t sequences =
        static_cast<size_t>((*created)->limits().maxSequences);
    *session = new dsrt_session{std::move(*created),
                                std::vector<StepChunk>(sequences)};
    return Status();
  });
}

void dsrt_session_destroy(dsrt_session *session) { delete session; }

dsrt_status dsrt_session_add_sequence(dsrt_session *session,
                                      int32_t *sequence) {
  return guarded([&]() -> Status {
    if (!session || !sequence)
      return nullArgument("dsrt_session_add_sequence");
    Result<int32_t> added = session->session->addSequence();
    if (added.ok())
      *sequence = *added;
    return added.status();
  });
}

dsrt_status dsrt_session_remove_sequence(dsrt_session *session,
                                         int32_t sequence) {
  return guarded([&]() -> Status {
    return session ? session->session->removeSequence(sequence)
                   : nullArgument("dsrt_session_remove_sequence");
  });
}

dsrt_status dsrt_session_run(dsrt_session *session, const dsrt_step *step,
                             dsrt_step_result *result) {
  return guarded([&]() -> Status {
    if (!session || !step || !result || (step->chunk_count && !step->chunks))
      return nullArgument("dsrt_session_run");
    const size_t room = session->chunks.size();
    for (size_t i = 0; i < room && static_cast<int64_t>(i) < step->chunk_count;
         ++i)
      session->chunks[i] = {step->chunks[i].sequence, step->chunks[i].tokens,
                            step->chunks[i].count, 0};
    Result<StepOutput> output =
        session->session->run(session->chunks.data(), step->chunk_count,
                              step->entry, step->all_logits != 0);
    if (!output.ok())
      return output.status();
    *result = {output->logits, output->rows,
               session->session->limits().vocabulary};
    return Status();
  });
}
