// Metadata: keys, types and values.
#include "patches.hpp"

#include <cmath>

namespace ckpt::test::hostile {
namespace {

// Offsets in an entry.
constexpr std::size_t kValue = 0, kKeyOffset = 8, kKeySize = 12, kValueSize = 16, kType = 20;
// Entries of the sample, sorted by key.
constexpr std::size_t kBytes = 0, kCreated = 1, kStep = 2, kFloat = 4, kJson = 6, kText = 8;

template <typename T>
Case entry(std::string name, int number, std::size_t i, std::size_t field, T value, std::vector<std::string> says,
           ErrorCode code = ErrorCode::corrupt) {
  return {.name = "metadata " + std::move(name),
          .number = number,
          .verdict = Verdict::part,
          .code = code,
          .says = std::move(says),
          .patch = in_element(Column::metadata, kMetadataBytes, i, field, value)};
}

template <typename T>
Case accepted(std::string name, std::size_t i, std::size_t field, T value) {
  return {.name = "metadata " + std::move(name),
          .verdict = Verdict::accept,
          .patch = in_element(Column::metadata, kMetadataBytes, i, field, value)};
}

// The text of entry `i` begins with these bytes.
Patch value_bytes(std::size_t i, std::string bytes) {
  return [i, bytes = std::move(bytes)](FileImage& image) {
    const auto offset = image.get<std::uint64_t>(image.element(Column::metadata, i, kMetadataBytes) + kValue);
    for (std::size_t k = 0; k < bytes.size(); ++k) {
      image.set<char>(image.element(Column::text, static_cast<std::size_t>(offset) + k, 1), bytes[k]);
    }
  };
}

Case text_of(std::string name, int number, std::size_t i, std::string bytes, Verdict verdict,
             std::vector<std::string> says = {}) {
  return {.name = "metadata " + std::move(name),
          .number = number,
          .verdict = verdict,
          .says = std::move(says),
          .patch = value_bytes(i, std::move(bytes))};
}

}  // namespace

Cases metadata_cases() {
  constexpr const char* kPool = "a name or text lies outside of its pool";
  constexpr auto kLeast = std::uint64_t{1} << 63U;
  return {
      entry<std::uint32_t>("key out of range", 29, kBytes, kKeyOffset, kMost32, {kPool, "expected", "found"}),
      entry<std::uint32_t>("key too long", 22, kBytes, kKeySize, kMost32, {"kMaxMetadataBytes", "found"},
                           ErrorCode::limit),
      entry<std::uint32_t>("key over the limit of a key", 47, kBytes, kKeySize, 4097, {kPool}),
      entry<std::uint32_t>("empty key", 45, kBytes, kKeySize, 0, {"this is no metadata key"}),
      entry<std::uint64_t>("value out of range", 29, kBytes, kValue, kMost64, {kPool}),
      entry<std::uint64_t>("value that wraps", 29, kBytes, kValue, kMost64 - 1, {kPool}),
      entry<std::uint32_t>("value too long", 22, kBytes, kValueSize, kMost32, {"kMaxMetadataBytes", "found"},
                           ErrorCode::limit),
      entry<std::uint32_t>("value of all the text", 98, kBytes, kValueSize, 200, {"metadata", "text"}),
      entry<std::uint32_t>("unknown type", 41, kBytes, kType, 5, {"unknown type of metadata", "found 5"}),
      entry<std::uint32_t>("negative type", 41, kBytes, kType, kMost32, {"unknown type of metadata"}),
      entry<std::uint32_t>("number with text", 41, kStep, kValueSize, 1, {"a number with text", "expected 0"}),
      entry<std::uint32_t>("text said to be a number", 41, kText, kType, 1, {"a number with text"}),
      entry<std::uint32_t>("bytes said to be text", 41, kBytes, kType, 0, {"metadata text is not UTF-8"}),
      text_of("text that is no UTF-8", 0, kText, "\xff", Verdict::part, {"metadata text is not UTF-8", "text"}),
      text_of("JSON that is no UTF-8", 0, kJson, "\xed\xa0\x80", Verdict::part, {"metadata text is not UTF-8"}),
      text_of("JSON that is none", 0, kJson, "{\"a\": [[[[[[", Verdict::accept),
      text_of("text with escapes", 53, kText, "\x1b[2J\n", Verdict::accept),
      text_of("text with a bidirectional mark", 53, kText, "\xe2\x80\xaex", Verdict::accept),
      text_of("text with NUL", 49, kText, std::string{"a\0b", 3}, Verdict::accept),
      accepted("time before all times", kCreated, kValue, kLeast),
      accepted("time behind all times", kCreated, kValue, kLeast - 1),
      accepted("step that is negative", kStep, kValue, kMost64),
      accepted("step that is the largest", kStep, kValue, kLeast - 1),
      accepted("step that is a float", kStep, kType, std::uint32_t{2}),
      accepted("time that is a float", kCreated, kType, std::uint32_t{2}),
      accepted("float that is no number", kFloat, kValue, std::uint64_t{0x7ff8'0000'0000'0001}),
      accepted("float that is infinite", kFloat, kValue, std::uint64_t{0xfff0'0000'0000'0000}),
      {.name = "metadata key twice",
       .number = 46,
       .verdict = Verdict::part,
       .says = {"metadata keys are not in order", "bytes"},
       .patch = twice(Column::metadata, kMetadataBytes, 0, 1)},
      {.name = "metadata keys not in order",
       .number = 46,
       .verdict = Verdict::part,
       .says = {"metadata keys are not in order"},
       .patch = swapped(Column::metadata, kMetadataBytes, 3, 4)},
      {.name = "metadata key with escape",
       .number = 53,
       .verdict = Verdict::part,
       .says = {"this is no metadata key", "\\x1b"},
       .patch =
           [](FileImage& image) {
             const auto key =
                 image.get<std::uint32_t>(image.element(Column::metadata, kText, kMetadataBytes) + kKeyOffset);
             image.set<char>(image.element(Column::text, key + 1, 1), '\x1b');
           }},
      {.name = "metadata texts that are shared",
       .number = 35,
       .verdict = Verdict::part,
       .says = {"metadata entries share text", "expected", "found"},
       .patch =
           [](FileImage& image) {
             const std::uint32_t all = image.count(Column::text);
             for (const std::size_t i : {kBytes, std::size_t{7}}) {
               const std::size_t record = image.element(Column::metadata, i, kMetadataBytes);
               image.set<std::uint64_t>(record + kValue, 0);
               image.set<std::uint32_t>(record + kValueSize, all);
               image.set<std::uint32_t>(record + kType, 3);
             }
           }},
  };
}

}  // namespace ckpt::test::hostile
