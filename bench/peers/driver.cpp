// peers_driver: ckpt and the limits of the machine, one operation a request, timed in here. bench/peers/main.py asks.
// Requests and answers are the lines that driver.hpp describes.
#include "driver.hpp"

#include <exception>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace ckpt::bench {

Request::Request(const std::string& line) {
  std::size_t begin = 0;
  while (begin <= line.size()) {
    const std::size_t end = std::min(line.find('\t', begin), line.size());
    const std::string field = line.substr(begin, end - begin);
    const std::size_t equals = field.find('=');
    if (begin == 0) {
      operation_ = field;
    } else if (equals == std::string::npos) {
      throw std::invalid_argument{"a field without a value: " + field};
    } else {
      fields_[field.substr(0, equals)] = field.substr(equals + 1);
    }
    begin = end + 1;
  }
}

const std::string& Request::text(const std::string& name) const {
  const auto field = fields_.find(name);
  if (field == fields_.end()) throw std::invalid_argument{operation_ + " needs " + name + '='};
  return field->second;
}

std::string Request::text_or(const std::string& name, const std::string& otherwise) const {
  const auto field = fields_.find(name);
  return field == fields_.end() ? otherwise : field->second;
}

std::int64_t Request::number_or(const std::string& name, std::int64_t otherwise) const {
  return fields_.contains(name) ? number(name) : otherwise;
}

unsigned Request::threads() const {
  const std::int64_t wanted = number_or("threads", 1);
  return wanted == 0 ? std::max(1U, std::thread::hardware_concurrency()) : static_cast<unsigned>(wanted);
}

void Answer::set_seconds(const std::string& name, double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", seconds);
  fields_[name] = text;
}

std::string Answer::line() const {
  std::string line = "ok";
  for (const auto& [name, value] : fields_) line.append(1, '\t').append(name).append(1, '=').append(value);
  return line;
}

namespace {

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return text;
}

std::string answer(Session& session, const Operations& operations, const std::string& line) {
  try {
    const Request request{line};
    const auto operation = operations.find(request.operation());
    if (operation == operations.end()) return "error\tno such operation: " + request.operation();
    Answer answer;
    operation->second(session, request, answer);
    return answer.line();
  } catch (const std::exception& error) {
    return "error\t" + one_line(error.what());
  }
}

int run() {
  Operations operations = model_operations();
  operations.merge(save_operations());
  operations.merge(load_operations());
  operations.merge(limit_operations());
  Session session;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(session, operations, line) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace ckpt::bench

int main() { return ckpt::bench::run(); }
