#include "graph/plan.hpp"

#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace ckpt::graph {
namespace {

// A private mapping serves a tensor that lies in it as it is. One that shares its blob is copied: writing to one
// variable must not change another.
bool can_map_privately(const Reader& reader, const TensorInfo& info) {
  return reader.file().mode == ReadMode::mmap && info.compression == Compression::none && !info.alias_of;
}

// A variable of bool must not get other values than that.
void require_sound(const TensorView& value) {
  if (value.dtype() == DType::boolean) static_cast<void>(value.as<bool>());
}

Storage view_of(const TensorView& value) {
  const auto bytes = value.bytes();
  return {Storage::Kind::view, const_cast<std::byte*>(bytes.data()), bytes.size(), value.owner()};
}

Storage private_part(const Reader& reader, const TensorInfo& info) {
  std::shared_ptr<std::byte> mapping = reader.private_mapping();
  std::byte* data = mapping.get() + info.offset;
  return {Storage::Kind::mapping, data, static_cast<std::size_t>(info.size_bytes), std::move(mapping)};
}

std::size_t tensor_index(const Restoration& restoration, std::uint32_t file_node) {
  const std::string& path = *restoration.file().tensor(file_node);
  if (const auto index = restoration.reader().find(path)) return *index;
  throw Error{ErrorCode::corrupt,
              {.problem = "the object graph names a tensor that is not there",
               .file = restoration.reader().path(),
               .object = path}};
}

}  // namespace

std::size_t require_tensor(const Restoration& restoration, std::uint32_t file_node, DType dtype, const Shape& shape) {
  const std::size_t index = tensor_index(restoration, file_node);
  const TensorInfo info = restoration.reader().info(index);
  if (info.dtype == dtype && info.shape == shape) return index;
  throw Error{
      ErrorCode::mismatch,
      {.problem = "the program's variable and the file's value differ in dtype or shape",
       .file = restoration.reader().path(),
       .object = *restoration.file().tensor(file_node),
       .expected = describe(dtype, shape),
       .found = describe(info.dtype, info.shape),
       .advice = "nothing was changed; give the variable the dtype and shape of the file, or restore another file"}};
}

Storage load_new(const Restoration& restoration, std::size_t tensor) {
  const Reader& reader = restoration.reader();
  const TensorInfo info = reader.info(tensor);
  switch (restoration.options().binding) {
    case Binding::view: {
      const TensorView value = reader.tensor(tensor);
      require_sound(value);
      return view_of(value);
    }
    case Binding::copy_on_write:
      if (can_map_privately(reader, info)) {
        require_sound(reader.tensor(tensor));  // also checks the sums, if that was asked for
        return private_part(reader, info);
      }
      break;
    case Binding::copy:
      break;
  }
  Storage storage = allocate(static_cast<std::size_t>(info.size_bytes));
  reader.read_into(tensor, storage.writable());
  require_sound(TensorView{info.dtype, info.shape, storage.bytes(), nullptr});
  return storage;
}

void Plan::match(const std::shared_ptr<Restoration>& restoration, std::uint32_t file_node,
                 const std::shared_ptr<Node>& node) {
  todo_.push_back({restoration, file_node, node});
  while (!todo_.empty()) {
    const Match next = std::move(todo_.front());
    todo_.pop_front();
    step(next);
  }
}

void Plan::step(const Match& match) {
  // Bound already: to the same object, or to another one, and then this one stays unmatched.
  if (live(*match.restoration, match.file_node)) return;
  planned_[match.restoration.get()].insert_or_assign(match.file_node, match.node);
  matches_.push_back(match);
  if (match.node->is_variable) {
    assign(match);
  } else {
    descend(match);
  }
  connect_slots(match);
}

void Plan::assign(const Match& match) {
  if (match.restoration->file().tensor(match.file_node) == nullptr) return;
  auto variable = as_variable(match.node);
  std::uint64_t& uid = planned_uid_.try_emplace(variable.get(), variable->update_uid).first->second;
  if (uid >= match.restoration->uid()) return;  // a later restore, or another place in this file, has given a value
  uid = match.restoration->uid();
  assignments_.push_back({match.restoration, match.file_node, std::move(variable), {}, {}, true});
}

void Plan::descend(const Match& match) {
  for (const ObjectGraph::Edge& edge : match.restoration->file().edges(match.file_node)) {
    if (auto child = match.node->child(edge.name)) todo_.push_back({match.restoration, edge.node, std::move(child)});
  }
}

// A slot is bound when both of its ends are, whichever comes last.
void Plan::connect_slots(const Match& match) {
  const FileGraph& file = match.restoration->file();
  const auto connect = [&](std::uint32_t index) {
    const ObjectGraph::Slot& slot = file.slot(index);
    const auto owner = live(*match.restoration, slot.owner);
    const auto variable = as_variable(live(*match.restoration, slot.variable));
    if (!owner || !variable) return;
    if (auto value = owner->slot(variable, slot.name)) {
      todo_.push_back({match.restoration, slot.node, std::move(value)});
    }
  };
  for (const std::uint32_t index : file.slots_of_owner(match.file_node)) connect(index);
  for (const std::uint32_t index : file.slots_of_variable(match.file_node)) connect(index);
}

std::shared_ptr<Node> Plan::live(const Restoration& restoration, std::uint32_t file_node) const {
  if (const auto group = planned_.find(&restoration); group != planned_.end()) {
    if (const auto position = group->second.find(file_node); position != group->second.end()) return position->second;
  }
  return restoration.live(file_node);
}

void Plan::prepare() {
  std::vector<Error> mismatches;
  for (const Assignment& assignment : assignments_) {
    try {
      require_tensor(*assignment.restoration, assignment.file_node, assignment.variable->dtype,
                     assignment.variable->shape);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::mismatch) throw;
      mismatches.push_back(error);
    }
  }
  if (!mismatches.empty()) {
    ErrorDetails details = mismatches.front().details();
    if (mismatches.size() > 1) {
      std::vector<std::string> others;
      for (std::size_t i = 1; i < mismatches.size(); ++i) {
        const ErrorDetails& other = mismatches[i].details();
        others.push_back(other.object + " (expected " + other.expected + ", found " + other.found + ")");
      }
      details.problem += "; so do " + list_paths(others) + "; the first one is";
    }
    throw Error{ErrorCode::mismatch, std::move(details)};
  }
  for (Assignment& assignment : assignments_) bind_memory(assignment);
}

void Plan::bind_memory(Assignment& assignment) {
  const Reader& reader = assignment.restoration->reader();
  const std::size_t index = tensor_index(*assignment.restoration, assignment.file_node);
  assignment.value = reader.tensor(index);
  require_sound(assignment.value);
  const Storage& present = assignment.variable->storage;
  if (present.kind == Storage::Kind::lent) return;  // the caller looks there, so the value has to go there
  const Binding binding = assignment.restoration->options().binding;
  const TensorInfo info = reader.info(index);
  if (binding == Binding::view) {
    assignment.replacement = view_of(assignment.value);
    assignment.copies = false;
  } else if (binding == Binding::copy_on_write && can_map_privately(reader, info)) {
    assignment.replacement = private_part(reader, info);
    assignment.copies = false;
  } else if (present.kind == Storage::Kind::view) {
    assignment.replacement = allocate(present.size);
  }
}

void Plan::apply() {
  for (Assignment& assignment : assignments_) {
    VariableNode& variable = *assignment.variable;
    if (assignment.replacement.owner) variable.storage = std::move(assignment.replacement);
    const auto bytes = assignment.value.bytes();
    if (assignment.copies && !bytes.empty()) std::memcpy(variable.storage.data, bytes.data(), bytes.size());
    variable.update_uid = assignment.restoration->uid();
  }
  for (const Match& match : matches_) match.restoration->bind(match.file_node, match.node);
  for (const Match& match : matches_) {
    Pending pending{match.restoration, match.file_node};
    if (match.node->is_variable || !still_pending(*match.node, pending)) continue;
    auto& list = match.node->pending;
    const auto position = std::ranges::find_if(
        list, [&](const Pending& other) { return other.restoration->uid() < match.restoration->uid(); });
    list.insert(position, std::move(pending));
  }
}

}  // namespace ckpt::graph
