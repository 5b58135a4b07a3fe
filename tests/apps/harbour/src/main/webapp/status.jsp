<%@ page contentType="text/html;charset=UTF-8" import="com.example.harbour.Settings" %>
<!DOCTYPE html>
<html lang="en">
<head>
  <title>Harbour status</title>
  <link rel="stylesheet" href="harbour.css">
</head>
<body>
  <h1><%= Settings.load().name() %></h1>
  <p>Version <%= Settings.load().version() %> on <%= application.getServerInfo() %></p>
</body>
</html>
