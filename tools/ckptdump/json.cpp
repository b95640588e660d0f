#include "json.hpp"

#include "text.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <variant>

namespace ckptdump {

void JsonWriter::begin_document(std::string_view command) {
  begin_object();
  member("schema_version", kJsonSchemaVersion);
  member("command", command);
}

void JsonWriter::end_document() {
  close_to(0);
  out_.write("\n");
}

void JsonWriter::open(char bracket) {
  separate();
  out_.write(std::string_view{&bracket, 1});
  open_.push_back({bracket});
}

void JsonWriter::end() {
  const char closing = open_.back().bracket == '{' ? '}' : ']';
  open_.pop_back();
  out_.write(std::string_view{&closing, 1});
}

void JsonWriter::close_to(std::size_t depth) {
  after_key_ = false;
  while (open_.size() > depth) end();
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (open_.empty()) return;
  if (!open_.back().empty) out_.write(",");
  // Long listings can be cut and compared with line tools.
  if (open_.back().bracket == '[' && open_.size() <= kLineDepth) out_.write("\n");
  open_.back().empty = false;
}

void JsonWriter::key(std::string_view name) {
  separate();
  write_text(name);
  out_.write(":");
  after_key_ = true;
}

void JsonWriter::text_member(std::string_view name, std::string_view text) {
  member(name, text);
  if (!is_utf8(text)) member(std::string{name} + "_hex", hex_digits(text));
}

void JsonWriter::value(std::string_view text) {
  separate();
  write_text(text);
}

void JsonWriter::null() {
  separate();
  out_.write("null");
}

void JsonWriter::write_text(std::string_view text) {
  const bool plain = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/. ") ==
                     std::string_view::npos;
  if (plain) {
    out_.print("\"{}\"", text);
  } else {
    out_.write(nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  }
}

// JSON has no infinities and no NaN: they are texts.
void JsonWriter::write_double(double number) {
  if (std::isfinite(number)) {
    out_.write(nlohmann::json(number).dump());
  } else {
    out_.write(std::isnan(number) ? "\"nan\"" : number > 0 ? "\"inf\"" : "\"-inf\"");
  }
}

void write_error_members(JsonWriter& json, const ckpt::Error& error) {
  const ckpt::ErrorDetails& details = error.details();
  json.member("code", to_string(error.code()));
  json.member("message", std::string_view{error.what()});
  if (!details.object.empty()) json.text_member("object", details.object);
  if (details.offset) json.member("offset", *details.offset);
  if (!details.expected.empty()) json.text_member("expected", details.expected);
  if (!details.found.empty()) json.text_member("found", details.found);
  if (!details.advice.empty()) json.text_member("advice", details.advice);
  if (details.system_error != 0) json.member("errno", details.system_error);
}

namespace {

struct MetadataVisitor {
  JsonWriter& json;

  void operator()(const std::string& text) const {
    json.member("type", "string");
    json.text_member("value", text);
  }
  void operator()(std::int64_t number) const {
    json.member("type", "int");
    json.member("value", number);
  }
  void operator()(double number) const {
    json.member("type", "float");
    json.member("value", number);
  }
  void operator()(const ckpt::Bytes& bytes) const {
    json.member("type", "bytes");
    json.member("value", hex_digits({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  void operator()(const ckpt::Json& text) const {
    json.member("type", "json");
    json.text_member("value", text.text);
  }
};

}  // namespace

void write_metadata(JsonWriter& json, const ckpt::Metadata& metadata) {
  json.begin_object("metadata");
  for (const auto& [key, value] : metadata) {
    json.begin_object(key);
    std::visit(MetadataVisitor{json}, value);
    json.end();
  }
  json.end();
}

}  // namespace ckptdump
