// ckptdump tree: parameters and bytes, grouped by the components of the paths.
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "path_tree.hpp"
#include "shared_objects.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace ckptdump {
namespace {

// The indentation of a tree grows with the square of its depth.
constexpr std::size_t kMostLevels = 64;

// The file's tensors and the further names of its objects. Owns what the tree's names point into.
struct Content {
  ckpt::Reader reader;
  SharedPaths shared;
  PathTree tree;
};

// An edge may cost 20 bytes of the file, and its paths are of any length up to kMaxPathBytes.
std::size_t room_for_paths(const ckpt::Reader& reader) { return (1U << 20U) + 4 * reader.file().index_size; }

Content load(Context& context, const std::string& file) {
  ckpt::Reader reader = open_checkpoint(file);
  SharedPaths shared = shared_paths(reader.graph(), room_for_paths(reader));
  std::vector<PathTree::Entry> entries;
  entries.reserve(reader.size() + shared.paths.size());
  for_each_selected(context, reader, [&](std::size_t index, const ckpt::TensorInfo& tensor) {
    PathTree::Entry entry{tensor.path, parameters_of(tensor), own_bytes_of(tensor), index, std::nullopt};
    if (tensor.alias_of) entry.link = reader.info(*tensor.alias_of).path;
    entries.push_back(entry);
  });
  for (const SharedPath& path : shared.paths) {
    if (context.filter.selects(path.path)) entries.push_back({.path = path.path, .link = path.target});
  }
  PathTree tree{std::move(entries), std::min(kMostLevels, context.options.depth.value_or(kMostLevels))};
  return {reader, std::move(shared), std::move(tree)};
}

class TreePrinter {
 public:
  TreePrinter(Context& context, const Content& content)
      : context_{context}, content_{content}, tree_{content.tree}, units_{context.options.units} {}

  void print() {
    measure(0, 0);
    print_children(0, "", 0);
  }

 private:
  static constexpr std::size_t kIndent = 3;           // columns of "├─ "
  static constexpr std::size_t kMostNameWidth = 100;  // one long name must not widen all lines

  // Text holds no numbers: "-" rather than 0.
  std::string count_of(const PathTree::Node& node) const {
    if (node.first_child == kNoNode && node.tensor && is_text(content_.reader.info(*node.tensor).dtype)) return "-";
    return format_count(node.parameters, units_);
  }

  std::string name_of(std::uint32_t node) const {
    std::string name = escape(tree_[node].name);
    if (const auto size = tree_.list_size(node)) name += fmt::format(" [{}]", *size);
    return name;
  }

  bool is_link(std::uint32_t node) const { return tree_[node].link && tree_[node].first_child == kNoNode; }

  // Finds the widths of the columns. `depth` is that of `node`; nodes of depth 1 have no lines before them.
  void measure(std::uint32_t node, std::size_t depth) {
    if (depth >= tree_.levels()) return;
    for (auto child = tree_[node].first_child; child != kNoNode; child = tree_[child].next_sibling) {
      if (!is_link(child)) {
        name_width_ = std::max(name_width_, std::min(kMostNameWidth, depth * kIndent + display_width(name_of(child))));
        count_width_ = std::max(count_width_, format_count(tree_[child].parameters, units_).size());
        bytes_width_ = std::max(bytes_width_, format_bytes(tree_[child].bytes, units_).size());
      }
      measure(child, depth + 1);
    }
  }

  void print_children(std::uint32_t node, const std::string& prefix, std::size_t depth) {
    if (depth >= tree_.levels() || context_.out.closed()) return;
    const std::vector<std::uint32_t> children = tree_.children(node);
    for (const std::uint32_t child : children) {
      const bool last = child == children.back();
      const std::string_view branch = depth == 0 ? "" : last ? "└─ " : "├─ ";
      print_line(child, prefix, branch, depth);
      const std::string_view below = depth == 0 ? "" : last ? "   " : "│  ";
      print_children(child, prefix + std::string{below}, depth + 1);
    }
  }

  void print_line(std::uint32_t node, const std::string& prefix, std::string_view branch, std::size_t depth) {
    const PathTree::Node& entry = tree_[node];
    const std::string name = name_of(node);
    Output& out = context_.out;
    out.print("{}{}", context_.style.dim(prefix + std::string{branch}), name);
    if (!is_link(node)) {
      const std::size_t used = depth * kIndent + display_width(name);
      out.print("{}  {:>{}}  {:>{}}  {:>7}", spaces(name_width_ - std::min(name_width_, used)), count_of(entry),
                count_width_, format_bytes(entry.bytes, units_), bytes_width_,
                format_percent(entry.bytes, tree_[0].bytes));
    }
    if (entry.link) {
      const std::string target = entry.link->empty() ? "(the root)" : escape(*entry.link);
      out.print("  {}", context_.style.link("-> " + target));
    } else if (entry.tensor) {
      const ckpt::TensorInfo tensor = content_.reader.info(*entry.tensor);
      out.print("  {}", context_.style.dim(short_dtype_name(tensor) + " " + to_string(tensor.shape)));
    }
    out.write("\n");
  }

  Context& context_;
  const Content& content_;
  const PathTree& tree_;
  Units units_;
  std::size_t name_width_ = 0;
  std::size_t count_width_ = 0;
  std::size_t bytes_width_ = 0;
};

class TreeJson {
 public:
  TreeJson(JsonWriter& json, const Content& content) : json_{json}, content_{content}, tree_{content.tree} {}

  void write() {
    json_.member("parameters", tree_[0].parameters);
    json_.member("bytes", tree_[0].bytes);
    json_.member("levels", tree_.all_levels());
    json_.member("levels_shown", tree_.levels());
    json_.member("further_paths_left_out", content_.shared.left_out);
    write_children(0, 0);
  }

 private:
  void write_children(std::uint32_t node, std::size_t depth) {
    json_.begin_array("children");
    for (const std::uint32_t child : tree_.children(node)) {
      json_.begin_object();
      write_node(child, depth + 1);
      json_.end();
    }
    json_.end();
  }

  void write_node(std::uint32_t node, std::size_t depth) {
    const PathTree::Node& entry = tree_[node];
    json_.text_member("name", entry.name);
    json_.member("parameters", entry.parameters);
    json_.member("bytes", entry.bytes);
    json_.member("percent", percent(entry.bytes));
    if (const auto size = tree_.list_size(node)) json_.member("list", *size);
    if (entry.link) json_.text_member("same_as", *entry.link);
    if (entry.tensor) {
      json_.begin_object("tensor");
      write_tensor_members(json_, content_.reader, content_.reader.info(*entry.tensor));
      json_.end();
    }
    if (depth < tree_.levels() && entry.first_child != kNoNode) write_children(node, depth);
  }

  double percent(std::uint64_t bytes) const {
    const std::uint64_t whole = tree_[0].bytes;
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(bytes) / static_cast<double>(whole);
  }

  JsonWriter& json_;
  const Content& content_;
  const PathTree& tree_;
};

// What is missing although nobody asked for less.
void note_what_is_missing(Context& context, const Content& content) {
  if (context.options.quiet) return;
  const PathTree& tree = content.tree;
  const bool all_that_was_asked = tree.levels() == tree.all_levels() || tree.levels() == context.options.depth;
  if (!all_that_was_asked) {
    context.out.flush();
    report_note(context, fmt::format("{} of {} levels are shown: what is deeper is counted, and 'ckptdump ls' lists it",
                                     tree.levels(), tree.all_levels()));
  }
  if (content.shared.left_out != 0) {
    context.out.flush();
    report_note(context, fmt::format("{} further paths of objects are left out", content.shared.left_out));
  }
}

ExitCode show(Context& context, const std::string& file) {
  const Content content = load(context, file);
  if (context.options.json) {
    TreeJson{context.json, content}.write();
  } else {
    TreePrinter{context, content}.print();
  }
  note_what_is_missing(context, content);
  return ExitCode::ok;
}

}  // namespace

ExitCode run_tree(Context& context) {
  return run_on_file(context, "tree", "file", [&](const std::string& file) { return show(context, file); });
}

}  // namespace ckptdump
