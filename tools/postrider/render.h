// Answers as text: tables for people, JSON for programs.

#ifndef POSTRIDER_TOOLS_POSTRIDER_RENDER_H_
#define POSTRIDER_TOOLS_POSTRIDER_RENDER_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

namespace postrider::cli {

// A value of an enum without the enum's name: `PENDING`. Thread-safe.
std::string EnumText(const google::protobuf::EnumValueDescriptor& value);

// The whole message as one JSON document with the names of the .proto files. Thread-safe.
std::string RenderJson(const google::protobuf::Message& message);

// The answer of a list: one line a resource under a line of headings, and how to go on if there is
// more. Thread-safe.
std::string RenderList(const google::protobuf::Message& response);

// Any other answer: one line a field that is set, the resource in it first. Thread-safe.
std::string RenderFields(const google::protobuf::Message& response);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_RENDER_H_
