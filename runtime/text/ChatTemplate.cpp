//===- ChatTemplate.cpp - A conversation as one prompt --------------------===//
//
// What the published templates of V2, V3, R1 and V3.1 (without thinking) make
// of system, user and assistant messages.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/ChatTemplate.h"
#include "runtime/text/Json.h"

using namespace dsrt;

static constexpr std::string_view userMark = "<｜User｜>";
static constexpr std::string_view assistantMark = "<｜Assistant｜>";
static constexpr std::string_view thoughtEnd = "</think>";

Result<ChatTemplate> ChatTemplate::recognize(std::string_view source) {
  auto has = [&](std::string_view text) {
    return source.find(text) != source.npos;
  };
  ChatTemplate result;
  if (has(userMark) && has(assistantMark)) {
    // V3.1's template has a variable that switches thinking on.
    bool hasSwitch = has("if not thinking is defined");
    result.family = hasSwitch ? Family::V31 : Family::V3;
    result.dropsThoughts = has("split('</think>'");
    // The newline is an escape of Jinja's, or the character itself.
    result.startsThought =
        has("<｜Assistant｜><think>\\n") || has("<｜Assistant｜><think>\n");
    return result;
  }
  if (has("'User: '") && has("'Assistant: '")) {
    result.family = Family::V2;
    return result;
  }
  return error(DSRT_MALFORMED,
               "chat_template '{}' is not known, expected one of DeepSeek-V2, "
               "V3, R1 or V3.1; write the prompt out instead",
               quoteText(source));
}

Result<std::string>
ChatTemplate::render(const std::vector<ChatMessage> &messages,
                     bool addGenerationPrompt, std::string_view bos,
                     std::string_view eos) const {
  for (const ChatMessage &message : messages)
    if (message.role != "system" && message.role != "user" &&
        message.role != "assistant")
      return error(DSRT_INVALID_ARGUMENT,
                   "chat message has role '{}', expected system, user or "
                   "assistant",
                   quoteText(message.role));
  std::string text(bos);
  text += family == Family::V2 ? renderV2(messages, addGenerationPrompt, eos)
                               : renderV3(messages, addGenerationPrompt, eos);
  return text;
}

std::string ChatTemplate::renderV2(const std::vector<ChatMessage> &messages,
                                   bool addGenerationPrompt,
                                   std::string_view eos) const {
  std::string text;
  for (const auto &[role, content] : messages) {
    if (role == "system")
      text += content + "\n\n";
    else if (role == "user")
      text += "User: " + content + "\n\n";
    else
      text.append("Assistant: " + content).append(eos);
  }
  if (addGenerationPrompt)
    text += "Assistant:";
  return text;
}

// All system messages come first. V3.1 closes the thought before each answer,
// and opens an answer only after a user's message.
std::string ChatTemplate::renderV3(const std::vector<ChatMessage> &messages,
                                   bool addGenerationPrompt,
                                   std::string_view eos) const {
  std::string text, separator;
  for (const auto &[role, content] : messages)
    if (role == "system") {
      text += separator + content;
      separator = "\n\n";
    }
  bool afterUser = false;
  for (const auto &[role, content] : messages) {
    if (role == "user") {
      text.append(userMark).append(content);
      afterUser = true;
    } else if (role == "assistant") {
      std::string_view answer = content;
      // R1 keeps what follows the last thought, V3.1 what follows the first.
      size_t end = family == Family::V31 ? answer.find(thoughtEnd)
                                         : answer.rfind(thoughtEnd);
      if (dropsThoughts && end != answer.npos)
        answer.remove_prefix(end + thoughtEnd.size());
      if (family == Family::V3)
        text += assistantMark;
      else if (afterUser)
        text.append(assistantMark).append(thoughtEnd);
      text.append(answer).append(eos);
      afterUser = false;
    }
  }
  if (!addGenerationPrompt || (family == Family::V31 && !afterUser))
    return text;
  text += assistantMark;
  if (family == Family::V31)
    text += thoughtEnd;
  else if (startsThought)
    text += "<think>\n";
  return text;
}
