//===- Mutations.cpp - Faults that the simulator must find ----------------===//
//
// ds-test-mutations LIST FILE COMMAND...
//
// Puts one fault after the other into the PTX in a copy of FILE, a compiled
// program, and runs COMMAND with the copy instead of FILE: it must fail, by a
// fault that the simulator reports or by wrong values, with one of a few seeds.
// Without a fault it must succeed.
//
// A line of LIST is a fault:
//
//   kernel | number | pattern | replacement | what
//
// In the text of the kernel whose name contains 'kernel' the match with this
// number (from 1) of the regular expression is replaced, which has no |; *
// stands for as many
// faults as there are matches. PTX is text inside of the program's file, so the
// replacement may be shorter but hardly longer than the match. # begins a
// comment.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <regex>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {
struct Mutation {
  std::string kernel;
  unsigned number; // 0: each
  std::string pattern;
  std::string replacement;
  std::string what;
};

struct Outcome {
  bool failed;
  std::string why;
};

[[noreturn]] void die(const std::string &message) {
  fmt::print("FAILED: {}\n", message);
  std::exit(1);
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    die("no file " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string trimmed(const std::string &text) {
  size_t begin = text.find_first_not_of(" \t");
  size_t end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end + 1 - begin);
}

std::vector<Mutation> readList(const std::string &path) {
  std::vector<Mutation> list;
  std::istringstream lines(readFile(path));
  for (std::string line; std::getline(lines, line);) {
    if (trimmed(line).empty() || trimmed(line)[0] == '#')
      continue;
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, '|');)
      fields.push_back(trimmed(field));
    if (fields.size() != 5)
      die("expected kernel | number | pattern | replacement | what, got " +
          line);
    unsigned number = 0;
    if (fields[1] != "*")
      number = static_cast<unsigned>(std::stoul(fields[1]));
    list.push_back({fields[0], number, fields[2], fields[3], fields[4]});
  }
  return list;
}

/// Where the body of a kernel lies in the program's file: up to the next one or
/// to the end of the text.
std::pair<size_t, size_t> findKernel(const std::string &file,
                                     const std::string &name) {
  const std::string entry = ".entry ";
  for (size_t at = file.find(entry); at != std::string::npos;
       at = file.find(entry, at + 1)) {
    size_t begin = at + entry.size(), end = file.find('(', begin);
    if (file.substr(begin, end - begin).find(name) == std::string::npos)
      continue;
    return {end, std::min(file.find(entry, end), file.find('\0', end))};
  }
  die("no kernel whose name contains " + name);
}

/// Replaces without moving anything: what gets shorter is filled with spaces;
/// what gets longer uses up white space around it.
void replaceAt(std::string &file, size_t at, size_t length, std::string text,
               const std::string &what) {
  while (text.size() > length && (file[at - 1] == '\t' || file[at - 1] == ' '))
    --at, ++length;
  while (text.size() > length &&
         (file[at + length] == '\t' || file[at + length] == ' '))
    ++length;
  if (text.size() > length)
    die("no room for the replacement of: " + what);
  text.resize(length, ' ');
  file.replace(at, length, text);
}

/// The program with each of the faults that the mutation stands for.
std::vector<std::string> mutate(const std::string &original,
                                const Mutation &mutation) {
  auto [begin, end] = findKernel(original, mutation.kernel);
  std::string text = original.substr(begin, end - begin);
  std::regex pattern(mutation.pattern);
  std::vector<std::string> mutants;
  unsigned number = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), last;
       match != last; ++match) {
    ++number;
    if (mutation.number != 0 && number != mutation.number)
      continue;
    mutants.push_back(original);
    replaceAt(mutants.back(), begin + static_cast<size_t>(match->position()),
              static_cast<size_t>(match->length()),
              match->format(mutation.replacement), mutation.what);
  }
  if (mutants.empty())
    die(fmt::format("{} matches in {}, too few for: {}", number,
                    mutation.kernel, mutation.what));
  return mutants;
}

void writeProgram(const std::string &path, const std::string &contents) {
  ::unlink(path.c_str());
  std::ofstream(path, std::ios::binary) << contents;
  ::chmod(path.c_str(), 0755);
}

/// The simulator's sentence in what a program printed, or else its last line.
std::string reasonOf(const std::string &output) {
  std::istringstream lines(output);
  std::string last, line;
  while (std::getline(lines, line)) {
    if (line.rfind("simulator: ", 0) == 0)
      return line.substr(11);
    if (!trimmed(line).empty())
      last = line;
  }
  return last;
}

Outcome run(std::vector<std::string> command, unsigned seed,
            const std::string &log) {
  constexpr unsigned secondsAllowed = 60;
  pid_t child = ::fork();
  if (child == 0) {
    int file = ::open(log.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    ::dup2(file, 1);
    ::dup2(file, 2);
    ::setenv("DSRT_SIMULATOR_SEED", std::to_string(seed).c_str(), 1);
    ::alarm(secondsAllowed);
    std::vector<char *> arguments;
    for (std::string &argument : command)
      arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return {true, fmt::format("no end in {} s", secondsAllowed)};
  if (WIFSIGNALED(status))
    die(fmt::format("signal {} ended {}", WTERMSIG(status), command[0]));
  if (WEXITSTATUS(status) == 127)
    die("cannot run " + command[0]);
  return {WEXITSTATUS(status) != 0, reasonOf(readFile(log))};
}

/// Whether the simulator refused the text: then the mutation tests nothing.
bool isRefused(const std::string &reason) {
  return std::regex_search(reason, std::regex("^line [0-9]+: "));
}
} // namespace

int main(int argc, char **argv) {
  if (argc < 4)
    die("expected a list, a file and a command");
  std::vector<Mutation> list = readList(argv[1]);
  std::string file = argv[2], mutant = file + ".mutant", log = mutant + ".log";
  std::string original = readFile(file);
  std::vector<std::string> command(argv + 3, argv + argc);
  std::replace(command.begin(), command.end(), file, mutant);
  constexpr unsigned seeds = 3;
  writeProgram(mutant, original);
  for (unsigned seed = 1; seed <= seeds; ++seed)
    if (Outcome sound = run(command, seed, log); sound.failed)
      die("without a fault: " + sound.why);
  unsigned tried = 0, missed = 0;
  for (const Mutation &mutation : list) {
    unsigned number = mutation.number;
    for (const std::string &program : mutate(original, mutation)) {
      writeProgram(mutant, program);
      Outcome outcome = {false, ""};
      for (unsigned seed = 1; seed <= seeds && !outcome.failed; ++seed)
        outcome = run(command, seed, log);
      bool caught = outcome.failed && !isRefused(outcome.why);
      ++tried;
      missed += !caught;
      number += mutation.number == 0;
      fmt::print("{}: {}: {} {}: {}\n", caught ? "caught" : "MISSED",
                 mutation.kernel, mutation.what, number, outcome.why);
    }
  }
  fmt::print("{} of {} faults found\n", tried - missed, tried);
  return missed != 0;
}
