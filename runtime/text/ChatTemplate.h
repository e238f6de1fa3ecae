//===- ChatTemplate.h - A conversation as one prompt ------------*- C++ -*-===//
//
// The chat templates of the DeepSeek family, written out in C++: the folder's
// Jinja template only decides which of them it is. System, user and assistant
// messages; tool calls are an error.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_CHATTEMPLATE_H
#define DSRT_TEXT_CHATTEMPLATE_H

#include "runtime/core/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

struct ChatMessage {
  std::string role; // "system", "user" or "assistant"
  std::string content;
};

class ChatTemplate {
public:
  /// The template whose Jinja source this is.
  static Result<ChatTemplate> recognize(std::string_view source);

  /// The prompt text, beginning with `bos`.
  Result<std::string> render(const std::vector<ChatMessage> &messages,
                             bool addGenerationPrompt, std::string_view bos,
                             std::string_view eos) const;

private:
  enum class Family { V2, V3, V31 };
  std::string renderV2(const std::vector<ChatMessage> &messages,
                       bool addGenerationPrompt, std::string_view eos) const;
  std::string renderV3(const std::vector<ChatMessage> &messages,
                       bool addGenerationPrompt, std::string_view eos) const;

  Family family = Family::V3;
  bool dropsThoughts = false; // of earlier assistant turns
  bool startsThought = false; // R1: the answer has to begin with <think>
};

} // namespace dsrt

#endif // DSRT_TEXT_CHATTEMPLATE_H
