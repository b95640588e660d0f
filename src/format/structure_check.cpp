#include "format/structure_check.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "format/index_columns.hpp"
#include "format/path_table.hpp"

#include <ckpt/limits.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace ckpt::format {

class StructureCheck {
 public:
  StructureCheck(const IndexView& index, const Footer& footer) : index_{index}, end_of_blobs_{footer.index_offset} {}

  Structure run(bool has_zstd, bool has_graph) {
    attempt([&] { check_lengths(index_.index_, index_.index_offset_, index_.pages_); });
    attempt([&] { check_records(); });
    attempt([&] { check_pools(); });
    attempt([&] { check_path_table(); });
    attempt([&] { check_blobs(); });
    attempt([&] { static_cast<void>(index_.metadata()); });
    attempt([&] { static_cast<void>(index_.graph()); });
    attempt([&] { check_text(); });
    // Of records that are damaged it is not known whether they are compressed.
    const bool zstd_unknown = !any_zstd_ && !result_.problems.empty();
    if (!zstd_unknown) check_feature("the zstd feature bit does not say what the tensors are", 16, has_zstd, any_zstd_);
    check_feature("the graph feature bit does not say what the index has", 24, has_graph, !index_.nodes_.empty());
    return std::move(result_);
  }

 private:
  struct Use {
    std::uint64_t first;
    std::uint64_t count;
  };

  // Returns whether there was a problem that names no tensor.
  template <typename Action>
  bool attempt(Action&& action) {
    try {
      action();
      return false;
    } catch (const Error& error) {
      // One damaged page spoils many records: it is reported once.
      const bool again = std::ranges::any_of(result_.problems, [&](const Error& known) {
        return known.details().offset == error.details().offset && known.details().problem == error.details().problem;
      });
      if (!again && result_.problems.size() < kMostProblems) result_.problems.push_back(error);
      return error.details().object.empty();
    }
  }

  void problem(std::string text, std::uint64_t offset, std::string expected, std::string found,
               std::string_view object = {}) {
    if (result_.problems.size() >= kMostProblems) return;
    result_.problems.emplace_back(ErrorCode::corrupt,
                                  ErrorDetails{.problem = std::move(text),
                                               .offset = offset,
                                               .object = std::string{object},
                                               .expected = std::move(expected),
                                               .found = std::move(found),
                                               .advice = "the file is damaged: use another checkpoint"});
  }

  void check_feature(const char* text, std::uint64_t offset, bool said, bool used) {
    if (said != used) problem(text, offset, used ? "set" : "clear", said ? "set" : "clear");
  }

  void check_records() {
    std::string_view before;
    std::optional<std::uint64_t> path_end = 0;  // nothing behind a record that is damaged
    for (std::size_t i = 0; i < index_.tensor_count(); ++i) {
      const auto expected = std::exchange(path_end, std::nullopt);
      const bool is_nameless = attempt([&] {
        const TensorRecord record = index_.tensor(i);
        const fb::Tensor& raw = index_.at(index_.tensors_, i);
        if (i > 0 && record.path <= before) {
          index_.corrupt("paths are not in order or not unique", &raw, record.path,
                         "one behind " + base::escape(before), base::escape(record.path));
        }
        before = record.path;
        if (expected && raw.path_offset() != *expected) {
          index_.corrupt("paths do not follow each other", &raw, record.path, std::to_string(*expected),
                         std::to_string(raw.path_offset()));
        }
        path_end = std::uint64_t{raw.path_offset()} + raw.path_size();  // No wrap: 32 bits each
        if (record.alias_of == kNone) add_owner(i, record);
      });
      if (is_nameless) ++result_.nameless;
      if (result_.problems.size() >= kMostProblems) return;
    }
    if (result_.problems.empty() && path_end != index_.paths_.size()) {
      problem("bytes of no path behind the paths", end_of_blobs_, std::to_string(*path_end) + " bytes",
              std::to_string(index_.paths_.size()));
    }
  }

  void add_owner(std::size_t i, const TensorRecord& record) {
    result_.tensors.push_back(i);
    chunks_.push_back({record.first_chunk, record.chunk_count});
    if (record.codec == Codec::zstd) {
      any_zstd_ = true;
      frames_.push_back({record.first_frame, record.chunk_count});
    }
  }

  // Every sum and every frame size belongs to one tensor.
  void check_pools() {
    if (!result_.problems.empty()) return;  // some owners are unknown
    if (!tiles(chunks_, index_.chunk_sums_.size()))
      report_pool("chunk sums of no tensor or of two", chunks_, index_.chunk_sums_.size());
    if (!tiles(frames_, index_.frame_sizes_.size()))
      report_pool("frame sizes of no tensor or of two", frames_, index_.frame_sizes_.size());
  }

  void report_pool(const char* text, const std::vector<Use>& uses, std::uint64_t size) {
    base::Checked used{0};
    for (const Use& use : uses) used = used + use.count;
    problem(text, end_of_blobs_, "each of " + std::to_string(size) + " once",
            std::to_string(uses.size()) + " tensors with " + std::to_string(used.value()));
  }

  // The table is what a writer makes of these paths. One that is so crowded that it would take quadratic time is
  // refused.
  void check_path_table() {
    if (!result_.problems.empty() || index_.path_table_.empty()) return;
    PathTable expected{index_.tensor_count()};
    for (std::size_t i = 0; i < index_.tensor_count(); ++i) {
      if (expected.add(hash_of(index_.path(i), index_.hash_)) > kMostPassed)
        index_.corrupt("a crowded table of paths", index_.tensors_.data());
    }
    for (std::size_t i = 0; i < index_.path_table_.size(); ++i) {
      const fb::PathSlot& slot = index_.at(index_.path_table_, i);
      if (PathTable::Slot{slot.tag(), slot.tensor()} != expected.slots()[i]) {
        index_.corrupt("a wrong slot in the table of paths", &slot, {}, slot_text(expected.slots()[i]),
                       slot_text({slot.tag(), slot.tensor()}));
      }
    }
  }

  static std::string slot_text(const PathTable::Slot& slot) {
    return base::hex(slot.tag) + " for " + (slot.tensor == kNone ? "none" : std::to_string(slot.tensor));
  }

  // Names and texts are not shared, so that copies of them are no larger than the file.
  void check_text() {
    if (!result_.problems.empty()) return;
    base::Checked total{0};
    for (std::uint32_t i = 0; i < index_.blocks_.size(); ++i) {
      const BlockType type = index_.block(i);
      if (type.bytes == 0 || type.elements == 0) index_.corrupt("an empty block type", &index_.blocks_[i]);
      total = total + type.name.size();
    }
    for (const fb::Metadata& entry : index_.metadata_) total = total + entry.key_size() + entry.value_size();
    for (const fb::Edge& edge : index_.edges_) total = total + edge.name_size();
    for (const fb::Slot& slot : index_.slots_) total = total + slot.name_size();
    if (!total.fits(index_.text_.size())) {
      problem("names and texts of the index share bytes", end_of_blobs_,
              "at most " + std::to_string(index_.text_.size()) + " bytes", std::to_string(total.value()));
    }
  }

  static bool tiles(std::vector<Use>& uses, std::uint64_t size) {
    std::ranges::sort(uses, {}, [](const Use& use) { return std::pair{use.first, use.count}; });
    std::uint64_t end = 0;
    for (const Use& use : uses) {
      if (use.count > 0 && use.first != end) return false;
      end += use.count;  // No wrap: so many entries there are
    }
    return end == size;
  }

  void check_blobs() {
    struct Blob {
      std::uint64_t offset;
      std::uint64_t size;
      std::size_t tensor;
      std::uint32_t alignment;
    };
    std::vector<Blob> blobs;
    for (const std::size_t i : result_.tensors) {
      const TensorRecord record = index_.tensor(i);
      const std::uint32_t alignment = alignment_of(index_.geometry(), record.codec, record.blob_size);
      blobs.push_back({record.blob_offset, record.blob_size, i, alignment});
    }
    std::ranges::sort(blobs, {}, [](const Blob& blob) { return std::pair{blob.offset, blob.size}; });
    const bool all_known = result_.problems.empty();
    std::uint64_t end = kHeaderBytes;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      const Blob& blob = blobs[i];
      result_.tensors[i] = blob.tensor;
      if (blob.offset < end) {
        problem("two blobs overlap", blob.offset, "a blob behind " + base::hex(end), base::hex(blob.offset),
                index_.path(blob.tensor));
      } else if (all_known) {
        check_gap(end, blob.offset, blob.alignment);
      }
      end = std::max(end, blob.offset + blob.size);  // No wrap: blobs lie within the file
    }
    if (!all_known) return;
    check_gap(end, end_of_blobs_, kIndexAlignment);
  }

  // Padding is shorter than the alignment that it serves.
  void check_gap(std::uint64_t begin, std::uint64_t end, std::uint64_t alignment) {
    if (end - begin >= alignment) {
      problem("a hole in front of what lies at " + base::hex(end), begin,
              "less than " + std::to_string(alignment) + " bytes", std::to_string(end - begin));
    } else if (end > begin) {
      result_.gaps.push_back({begin, end - begin});
    }
  }

  static constexpr std::size_t kMostProblems = 100;
  static constexpr std::size_t kMostPassed = 4096;  // far more than paths that nobody chose for their hashes need

  const IndexView& index_;
  const std::uint64_t end_of_blobs_;
  Structure result_;
  std::vector<Use> chunks_;
  std::vector<Use> frames_;
  bool any_zstd_ = false;
};

Structure check_structure(const IndexView& index, const Footer& footer, bool has_zstd, bool has_graph) {
  return StructureCheck{index, footer}.run(has_zstd, has_graph);
}

}  // namespace ckpt::format
