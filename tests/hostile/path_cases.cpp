// Object paths: what is no path, what is one in spite of its looks, and their order.
#include "patches.hpp"

#include <ckpt/limits.hpp>

namespace ckpt::test::hostile {
namespace {

// Bytes that no path has, in place of the last of "all/f32".
Case no_path(std::string name, int number, std::string bytes, std::vector<std::string> says) {
  return {.name = "path " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = renamed("all/f32", "all/" + std::move(bytes)),
          .seal = Seal::data};
}

Case accepted(std::string name, int number, std::string from, std::string to) {
  return {.name = "path " + std::move(name),
          .number = number,
          .verdict = Verdict::accept,
          .patch = renamed(std::move(from), std::move(to)),
          .seal = Seal::data};
}

Case out_of_pool(std::string name, int number, std::size_t field, std::uint32_t value, std::vector<std::string> says) {
  return {.name = "path " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = in_record("all/f32", field, value),
          .failing = 2};  // the search for a neighbour compares with it
}

Case out_of_order(std::string name, int number, std::string from, std::string to) {
  return {.name = "path " + std::move(name),
          .number = number,
          .verdict = Verdict::verify,
          .says = {"paths are not in order or not unique", to},
          .patch = renamed(from, to),
          .seal = Seal::data};
}

}  // namespace

Cases path_cases() {
  constexpr const char* kNoPath = "this is no object path";
  constexpr const char* kPool = "outside of its pool";
  return {
      {.name = "path of no bytes",
       .number = 45,
       .says = {kNoPath, "it is empty"},
       .patch = in_record<std::uint32_t>("all/f32", at::kPathSize, 0)},
      out_of_pool("outside of the pool", 29, at::kPathOffset, 1U << 20U, {kPool, "expected", "found"}),
      out_of_pool("offset that wraps", 29, at::kPathOffset, kMost32, {kPool, "found"}),
      out_of_pool("that leaves the pool", 29, at::kPathSize, 4096, {kPool, "found"}),
      out_of_pool("over the limit", 47, at::kPathSize, kMaxPathBytes + 1, {"kMaxPathBytes", "found 4097"}),
      out_of_pool("of a GiB", 47, at::kPathSize, 1U << 30U, {"kMaxPathBytes", "found 1073741824"}),
      out_of_pool("of 4 GiB", 47, at::kPathSize, kMost32, {"kMaxPathBytes", "found 4294967295"}),
      no_path("with NUL", 49, std::string{"f\0z", 3}, {kNoPath, "all/f\\x00z", "it has control characters"}),
      no_path("with newline", 53, "f\n2", {kNoPath, "all/f\\x0a2"}),
      no_path("with escape", 53, "\x1b[m", {kNoPath, "all/\\x1b[m"}),
      no_path("with DEL", 53,
              "f\x7f"
              "2",
              {kNoPath, "all/f\\x7f2"}),
      no_path("with NEL", 53, "f\xc2\x85", {kNoPath, "all/f\\u{85}"}),
      no_path("with an empty name", 51, "/32", {kNoPath, "all//32", "a name in it is empty"}),
      no_path("that ends in a slash", 51, "f3/", {kNoPath, "all/f3/"}),
      no_path("overlong", 0, "f\xc0\xaf", {kNoPath, "all/f\\xc0\\xaf", "it is not UTF-8"}),
      no_path("overlong in three bytes", 0, "\xe0\x80\xaf", {kNoPath, "it is not UTF-8"}),
      no_path("surrogate", 0, "\xed\xa0\x80", {kNoPath, "all/\\xed\\xa0\\x80"}),
      no_path("cut off within a character", 0, "f\xe2\x82", {kNoPath, "all/f\\xe2\\x82"}),
      no_path("lone continuation", 0, "f\x80\x80", {kNoPath, "all/f\\x80\\x80"}),
      no_path("bytes that are never UTF-8", 0, "f\xff\xfe", {kNoPath, "all/f\\xff\\xfe"}),
      {.name = "path above the last code point",
       .says = {kNoPath, "all/\\xf4\\x90\\x80\\x80"},
       .patch = renamed("all/bf16", "all/\xf4\x90\x80\x80"),
       .seal = Seal::data},
      {.name = "path with a parent",
       .number = 51,
       .says = {kNoPath, "sca/..", "'.' and '..' are no names"},
       .patch = renamed("scalar", "sca/.."),
       .seal = Seal::data},
      {.name = "path absolute",
       .number = 51,
       .says = {kNoPath, "/ll/bf16"},
       .patch = renamed("all/bf16", "/ll/bf16"),
       .seal = Seal::data},
      accepted("decomposed", 50, "all/f16", "all/e\xcc\x81"),
      accepted("composed", 50, "all/u8", "all/\xc3\xa9"),
      accepted("of another case", 50, "all/bf16", "ALL/BF16"),
      accepted("with backslashes and a drive", 51, "all/bf16", "C:\\\\f\\16"),
      accepted("with a bidirectional mark", 53, "large", "lo\xe2\x80\xae"),
      accepted("with a byte order mark", 53, "large", "lo\xef\xbb\xbf"),
      accepted("with a huge number", 54, "squeezed", "sq.99999"),
      accepted("of three dots", 51, "empty", "e/..."),
      out_of_order("twice", 46, "all/f16", "all/c64"),
      out_of_order("twice with another dtype", 46, "all/u64", "all/u32"),
      out_of_order("not in order", 46, "all/f32", "zzz/f32"),
  };
}

}  // namespace ckpt::test::hostile
