// Writing one JSON document as a stream, so that a million tensors need no tree in memory.
#pragma once

#include "output.hpp"

#include <ckpt/error.hpp>
#include <ckpt/metadata.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ckptdump {

/// The schema_version member of every document. It grows when a member changes its meaning or goes; new members do not
/// change it.
inline constexpr int kJsonSchemaVersion = 1;

/// Objects and arrays open and close like brackets. Text that is no valid UTF-8 is written with U+FFFD in place of what
/// is wrong.
class JsonWriter {
 public:
  explicit JsonWriter(Output& out) : out_{out} {}

  /// Opens the document's object and writes schema_version and command.
  void begin_document(std::string_view command);
  /// Closes whatever is open.
  void end_document();

  void begin_object() { open('{'); }
  void begin_object(std::string_view name) { key(name), open('{'); }
  void begin_array(std::string_view name) { key(name), open('['); }
  void end();
  /// Closes inner objects and arrays until `depth` are open.
  void close_to(std::size_t depth);
  std::size_t depth() const noexcept { return open_.size(); }

  template <typename T>
  void member(std::string_view name, const T& value_of_member) {
    key(name);
    value(value_of_member);
  }

  /// A text member, and `name`_hex with the raw bytes beside it when they are not UTF-8.
  void text_member(std::string_view name, std::string_view text);

  template <typename T>
    requires std::is_arithmetic_v<T>
  void value(T number) {
    separate();
    if constexpr (std::is_same_v<T, bool>) {
      out_.write(number ? "true" : "false");
    } else if constexpr (std::is_floating_point_v<T>) {
      write_double(number);
    } else {
      out_.print("{}", number);
    }
  }
  void value(std::string_view text);
  void null();

 private:
  struct Level {
    char bracket;
    bool empty = true;
  };

  void open(char bracket);
  void key(std::string_view name);
  void separate();
  void write_text(std::string_view text);
  void write_double(double number);

  static constexpr std::size_t kLineDepth = 2;  // the elements of the document's own arrays get a line each

  Output& out_;
  std::vector<Level> open_;
  bool after_key_ = false;
};

/// {"code", "message", and what is known of file, object, offset, expected, found, advice} into the open object.
void write_error_members(JsonWriter& json, const ckpt::Error& error);

/// An object member "metadata": each key with its type and value; bytes as hexadecimal digits, JSON as its text.
void write_metadata(JsonWriter& json, const ckpt::Metadata& metadata);

}  // namespace ckptdump
