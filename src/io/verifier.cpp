#include "io/verifier.hpp"

#include "base/parallel.hpp"
#include "format/structure_check.hpp"
#include "io/index_copy.hpp"
#include "io/located.hpp"
#include "io/tensor_reader.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::io {
namespace {

class Verifier {
 public:
  Verifier(const std::filesystem::path& path, const Source& source, const format::IndexView& index,
           const format::Footer& footer, const VerifyOptions& options)
      : path_{path}, source_{source}, index_{index}, footer_{footer}, options_{options} {}

  /// The report of a file that has no index to go by.
  VerifyReport refuse(const Error& error) {
    report_.tensors = index_.tensor_count();
    add(error);
    return std::move(report_);
  }

  VerifyReport run(const format::Header& header) {
    report_.tensors = index_.tensor_count();
    check_index_pages();
    const bool has_zstd = (header.required_features & format::kFeatureZstd) != 0;
    const bool has_graph = (header.optional_features & format::kFeatureGraph) != 0;
    format::Structure structure = format::check_structure(index_, footer_, has_zstd, has_graph);
    // A damaged page was reported as such; what it makes of the structure adds nothing.
    if (report_.problems.empty()) {
      for (const Error& error : structure.problems) add(error);
    }
    for (const auto& gap : structure.gaps) attempt([&] { check_gap(gap); });
    check_data(structure.tensors);
    std::ranges::sort(report_.problems, {}, [](const Error& error) {
      return std::pair{error.details().offset.value_or(0), std::string_view{error.what()}};
    });
    report_.damaged_tensors = damaged_.size() + structure.nameless;
    // No wrap: the index lies within the file.
    report_.bytes = done_ + footer_.file_size - data_end();
    return std::move(report_);
  }

 private:
  // A part of a tensor that one thread checks at a time.
  struct Unit {
    std::size_t tensor;
    std::shared_ptr<const TensorReader> reader;  // null for one of stored data, which is cheap to make
    std::uint32_t first;
    std::uint32_t last;
  };
  static constexpr std::uint32_t kChunksAUnit = 16;
  static constexpr std::size_t kMostProblems = 10'000;  // of which each takes more memory than a record

  std::uint64_t data_end() const noexcept { return footer_.index_offset; }

  void add(const Error& error) {
    if (!error.details().object.empty()) damaged_.insert(error.details().object);
    if (report_.problems.size() >= kMostProblems) return;
    try {
      located(path_, [&] { throw Error{error}; });
    } catch (const Error& named) {
      report_.problems.push_back(named);
    }
  }

  void check_index_pages() {
    for (std::uint64_t page = 0; page < index_.page_count(); ++page) {
      try {
        index_.check_page(page);
      } catch (const Error& error) {  // corrupt: the index is in memory
        const bool again = !report_.problems.empty() &&
                           report_.problems.back().details().offset == error.details().offset;  // a page of sums
        if (!again) add(error);
      }
    }
  }

  void check_gap(const format::Structure::Range& gap) {
    std::vector<std::byte> scratch;
    const auto bytes = source_.bytes(gap.offset, static_cast<std::size_t>(gap.size), scratch);
    const auto wrong = std::ranges::find_if(bytes, [](std::byte byte) { return byte != std::byte{}; });
    done_ += gap.size;
    if (wrong == bytes.end()) return;
    throw Error{ErrorCode::corrupt,
                {.problem = "a byte of the padding between blobs is not zero",
                 .offset = gap.offset + static_cast<std::uint64_t>(wrong - bytes.begin()),
                 .expected = "0",
                 .found = std::to_string(std::to_integer<int>(*wrong)),
                 .advice = "the file is damaged: use another checkpoint"}};
  }

  void check_data(const std::vector<std::size_t>& tensors) {
    std::vector<Unit> units;
    for (const std::size_t i : tensors) attempt([&] { add_units(i, units); });
    base::deal_out(units.size(), base::thread_count(options_.threads), [&] {
      return [&, scratch = std::vector<std::byte>{}](std::size_t i) mutable { check_unit(units[i], scratch); };
    });
  }

  void add_units(std::size_t tensor, std::vector<Unit>& units) {
    const format::TensorRecord record = index_.tensor(tensor);
    // Blobs that overlap were reported as such. Checked one by one, they could take any time.
    if (record.blob_size > unclaimed_) return;
    unclaimed_ -= record.blob_size;  // No wrap: it is not less
    // The place of a compressed chunk is known from those before it: one reader for all units has gone through them.
    std::shared_ptr<const TensorReader> reader;
    if (record.codec != format::Codec::stored) {
      reader = std::make_shared<const TensorReader>(source_, index_, record);
    }
    for (std::uint32_t first = 0, last = 0; first < record.chunk_count; first = last) {
      last = first + std::min(kChunksAUnit, record.chunk_count - first);  // No wrap: at most the count
      units.push_back({tensor, reader, first, last});
    }
  }

  void check_unit(const Unit& unit, std::vector<std::byte>& scratch) {
    std::uint64_t checked = 0;
    std::shared_ptr<const TensorReader> reader = unit.reader;
    attempt([&] {
      if (!reader) reader = std::make_shared<const TensorReader>(source_, index_, index_.tensor(unit.tensor));
    });
    // Each chunk on its own, so that one that is damaged does not hide the next.
    for (std::uint32_t chunk = unit.first; reader && chunk < unit.last; ++chunk) {
      attempt_of(unit.tensor, [&] { checked += reader->verify(chunk, scratch); });
    }
    const std::scoped_lock lock{mutex_};
    done_ += checked;
    if (options_.progress) options_.progress(done_, data_end());
  }

  template <typename Action>
  void attempt(Action&& action) {
    try {
      action();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;
      const std::scoped_lock lock{mutex_};
      add(error);
    }
  }

  // Where the file ends early, the error of the read does not know of which tensor it would have been.
  template <typename Action>
  void attempt_of(std::size_t tensor, Action&& action) {
    attempt([&] {
      try {
        action();
      } catch (const Error& error) {
        ErrorDetails details = error.details();
        details.object = index_.path(tensor);
        throw Error{error.code(), std::move(details)};
      }
    });
  }

  const std::filesystem::path& path_;
  const Source& source_;
  const format::IndexView& index_;
  const format::Footer& footer_;
  const VerifyOptions& options_;
  std::uint64_t unclaimed_ = data_end();  // bytes of the file that no blob was found to take
  std::mutex mutex_;                      // for what follows
  VerifyReport report_;
  std::set<std::string> damaged_;
  std::uint64_t done_ = format::kHeaderBytes;
};

}  // namespace

VerifyReport verify_file(const std::filesystem::path& path, const Source& source, const format::IndexView& index,
                         const format::Header& header, const format::Footer& footer, const VerifyOptions& options) {
  // Explicit reads: where the file became shorter or the device fails, a mapping would give a signal.
  const std::unique_ptr<const Source> unmapped = source.unmapped();
  const Source& reads = *unmapped;
  std::optional<IndexCopy> copy;
  try {
    copy.emplace(reads, footer);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    return Verifier{path, reads, index, footer, options}.refuse(error);
  }
  return Verifier{path, reads, copy->view(), footer, options}.run(header);
}

}  // namespace ckpt::io
