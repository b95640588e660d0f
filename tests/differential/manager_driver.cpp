// A program with a CheckpointManager that does what it is told, for manager_differential.py: one command a line on
// standard input, one answer a line on standard output.
//
//   program DIRECTORY KEEP HOURS INTERVAL LAST   a new program with a new manager; - for what is not given
//   clock SECONDS | step NUMBER                  set the clock, the step counter
//   restore                                      restore_or_initialize
//   save NUMBER FORCE                            - for the counter's number; FORCE 1: whatever the interval says
//   lose DIRECTORY                               ends the program and removes the state file
//
// An answer is `RESULT | files N... | list N... | latest N | counter N | step N`; numbers of files and of the list
// stand for checkpoints.
#include <ckpt/ckpt.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

double clock_seconds = 0;

std::string number_of(const std::filesystem::path& path) {
  const std::string stem = path.stem();
  return stem.substr(stem.rfind('-') + 1);
}

struct Program {
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}};
  bool initialised = false;
  std::optional<ckpt::CheckpointManager> manager;
};

template <typename Number>
std::optional<Number> given(std::istream& in) {
  std::string word;
  in >> word;
  if (word == "-") return std::nullopt;
  std::istringstream text{word};
  Number number{};
  if (!(text >> number)) throw std::runtime_error("not a number: " + word);
  return number;
}

std::unique_ptr<Program> make_program(std::istream& in) {
  std::string directory;
  in >> directory;
  auto program = std::make_unique<Program>();
  ckpt::ManagerOptions options;
  options.max_to_keep = given<int>(in);
  options.keep_every_n_hours = given<double>(in);
  options.checkpoint_interval = given<std::int64_t>(in);
  options.last_checkpoint_step = given<std::int64_t>(in);
  if (options.checkpoint_interval) options.step_counter = program->step;
  options.init_fn = [raw = program.get()] { raw->initialised = true; };
  options.clock = [] { return clock_seconds; };
  options.save.writer.durable = false;
  program->manager.emplace(program->checkpoint, directory, options);
  return program;
}

std::string save(Program& program, std::istream& in) {
  ckpt::SaveRequest request;
  request.number = given<std::int64_t>(in);
  request.check_interval = given<int>(in) != 1;
  try {
    const ckpt::SaveResult result = program.manager->save(request);
    program.manager->wait_for_deletions();
    return result ? "saved " + number_of(*result.path) : "skipped";
  } catch (const ckpt::Error& error) {
    if (error.code() == ckpt::ErrorCode::already_exists) return "refused";
    throw;
  }
}

std::string restore(Program& program) {
  program.initialised = false;
  const ckpt::RestoreResult result = program.manager->restore_or_initialize();
  if (result) return "restored " + number_of(*result.path);
  return program.initialised ? "initialised" : "nothing";
}

std::string state_of(Program& program) {
  std::vector<std::int64_t> files;
  for (const auto& entry : std::filesystem::directory_iterator{program.manager->directory()}) {
    if (entry.path().extension() == ".ckpt") files.push_back(std::stoll(number_of(entry.path())));
  }
  std::sort(files.begin(), files.end());
  std::string text = " | files";
  for (const std::int64_t file : files) text += " " + std::to_string(file);
  text += " | list";
  for (const auto& path : program.manager->checkpoints()) text += " " + number_of(path);
  const auto latest = program.manager->latest();
  text += " | latest " + (latest ? number_of(*latest) : "-");
  text += " | counter " + std::to_string(program.checkpoint.save_counter().value());
  return text + " | step " + std::to_string(program.step.value());
}

void serve() {
  std::unique_ptr<Program> program;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in{line};
    std::string command;
    in >> command;
    std::string answer = "ok";
    if (command == "program") {
      program.reset();  // it holds the lock
      program = make_program(in);
      answer = "started";
    } else if (command == "clock") {
      clock_seconds = given<double>(in).value();
    } else if (command == "step") {
      program->step = given<std::int64_t>(in).value();
    } else if (command == "save") {
      answer = save(*program, in);
    } else if (command == "restore") {
      answer = restore(*program);
    } else if (command == "lose") {
      program.reset();
      std::string directory;
      in >> directory;
      std::filesystem::remove(std::filesystem::path{directory} / "ckpt.state");
    } else {
      throw std::runtime_error("no such command: " + line);
    }
    std::cout << answer << (program ? state_of(*program) : "") << std::endl;
  }
}

}  // namespace

int main() {
  try {
    serve();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "manager_driver: " << error.what() << '\n';
    return 1;
  }
}
